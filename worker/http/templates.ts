import * as z from 'zod'
import { validationProblem } from '#core/wire/problem.ts'
import { checkTemplate } from '#domain/jinja/template.ts'
import { endpoint, type Api } from './endpoint.ts'

const refused = z.object({
  error: z.object({ line: z.int(), message: z.string(), source: z.string() }),
})

/** The second is where consoles of old look for it. */
const PATHS = ['/templates/validate', '/automations/templates/validate']

export function addTemplateRoutes(api: Api): void {
  for (const path of PATHS) {
    endpoint(
      api,
      {
        method: 'post',
        path,
        tag: 'Automations',
        summary: 'Say whether a text is a template that actions may have',
        body: z.string(),
        bodyOptional: true,
        answers: { 204: null, 422: z.union([refused, validationProblem]) },
      },
      ({ body }) => {
        const fault = checkTemplate(body)
        return fault === undefined
          ? { status: 204 }
          : {
              status: 422,
              body: { error: { line: fault.line, message: fault.message, source: body } },
            }
      },
    )
  }
}
