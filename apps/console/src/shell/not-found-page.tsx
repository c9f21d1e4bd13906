import { Link } from '@tanstack/react-router'

/** For an address that no page has. */
export const NotFoundPage = () => (
  <main className="state">
    <p>There is no such page.</p>
    <Link to="/">To the fleet</Link>
  </main>
)
