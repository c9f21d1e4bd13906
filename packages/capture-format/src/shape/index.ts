export { ShapeWriter } from './shape-writer.ts'
