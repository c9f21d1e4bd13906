import { z } from 'zod'
import { Role } from './roles.ts'

export const roleSchema = z.enum(Role)
