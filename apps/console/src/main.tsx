import { QueryClientProvider } from '@tanstack/react-query'
import { RouterProvider } from '@tanstack/react-router'
import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { queryClient } from './query-client.ts'
import { router } from './routes.tsx'
import { SignInGate } from './shell/sign-in-gate.tsx'
import { followTheme } from './ui/theme.ts'
import './styles/base.css'
import './styles/shell.css'
import './styles/tables.css'
import './styles/dialog.css'
import './styles/fleet.css'
import './styles/panel.css'
import './styles/captures.css'
import './styles/tail.css'
import './styles/search.css'
import './styles/timeline.css'

const root = document.getElementById('root')
if (!root) throw new Error('index.html has no #root')
followTheme()
createRoot(root).render(
  <StrictMode>
    <QueryClientProvider client={queryClient}>
      <SignInGate>
        <RouterProvider router={router} />
      </SignInGate>
    </QueryClientProvider>
  </StrictMode>,
)
