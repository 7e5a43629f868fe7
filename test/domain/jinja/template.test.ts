import { readFileSync } from 'node:fs'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { JsonObject } from '#core/wire/common.ts'
import { TemplateError } from '#domain/jinja/template-error.ts'
import { checkTemplate, renderTemplate, type RenderOptions } from '#domain/jinja/template.ts'

interface Vector {
  template: string
  check: { kind: string; line: number; message: string } | null
  text?: string
  kind?: string
  message?: string
}

const { context, vectors } = JSON.parse(
  readFileSync(new URL('../fixtures/jinja-vectors.json', import.meta.url), 'utf8'),
) as { context: JsonObject; vectors: Vector[] }

function render(template: string, values: JsonObject = {}, options: RenderOptions = {}) {
  try {
    return { text: renderTemplate(template, values, options) }
  } catch (error) {
    if (error instanceof TemplateError) {
      return { kind: error.kind, message: error.message }
    }
    throw error
  }
}

describe("what Prefect's own environment makes of templates", () => {
  it('has all its vectors', () => {
    expect(vectors.length).toBeGreaterThan(850)
  })

  it('renders the same text, or fails with the same kind of fault', () => {
    const wrong = vectors.flatMap(({ template, text, kind }) => {
      const got = render(template, context)
      const same = text === undefined ? got.kind === kind : got.text === text
      return same ? [] : [{ template, expected: text ?? kind, got }]
    })
    expect(wrong).toEqual([])
  })

  it('says nearly everywhere the same of a fault', () => {
    const faults = vectors.filter(({ text }) => text === undefined)
    const same = faults.filter(({ template, message }) => {
      return render(template, context).message === message
    })
    expect(same.length / faults.length).toBeGreaterThan(0.9)
  })

  it('finds the same faults before rendering, with their lines', () => {
    const wrong = vectors.flatMap(({ template, check }) => {
      const fault = checkTemplate(template)
      const got =
        fault === undefined ? null : { kind: fault.kind, line: fault.line, message: fault.message }
      return JSON.stringify(got) === JSON.stringify(check) ? [] : [{ template, check, got }]
    })
    expect(wrong).toEqual([])
  })
})

describe("Prefect's objects", () => {
  const values: JsonObject = {
    flow_run: {
      id: '0199f000-0000-7000-8000-000000000001',
      name: 'able-otter',
      start_time: '2026-01-02T03:04:05.000000Z',
      end_time: '2026-01-02T03:05:35.500000Z',
      total_run_time: 90.5,
      parameters: { start_time: '2026-01-02T03:04:05Z', n: 1 },
      state: { name: 'Failed', type: 'FAILED', timestamp: '2026-01-02T03:05:35.500000Z' },
    },
    work_pool: { id: '0199f000-0000-7000-8000-000000000002', name: 'my pool' },
    automation: { id: '0199f000-0000-7000-8000-000000000003', name: 'tell me' },
    event: {
      id: '0199f000-0000-7000-8000-000000000004',
      event: 'prefect.flow-run.Failed',
      occurred: '2026-01-02T03:05:35.500000Z',
      resource: {
        'prefect.resource.id': 'prefect.flow-run.abc',
        'prefect.resource.name': 'able-otter',
      },
      related: [
        {
          'prefect.resource.id': 'prefect.flow.def',
          'prefect.resource.role': 'flow',
          'prefect.resource.name': 'etl',
        },
      ],
      payload: { x: [1, 2] },
    },
    labels: { 'prefect.resource.id': 'a.b', plain: 'p' },
    variables: { greeting: 'hi' },
  }
  const options = { now: 1_767_323_135_500_000 + 3_600_000_000, uiUrl: 'https://head.example/' }

  it.each([
    ['{{ flow_run.name }} {{ flow_run.state.name }}', 'able-otter Failed'],
    ['{{ flow_run.state.type }}', 'StateType.FAILED'],
    ['{{ flow_run.state.type.value }} {{ flow_run.state.type.name }}', 'FAILED FAILED'],
    ["{{ flow_run.state.type == 'FAILED' }} {{ flow_run.state.type in ['FAILED'] }}", 'True True'],
    ['{{ flow_run.state.type | lower }} {{ flow_run.state.type | tojson }}', 'failed "FAILED"'],
    [
      "{{ flow_run.state.type ~ 'x' }} {{ [flow_run.state.type] }}",
      'StateType.FAILEDx [StateType.FAILED]',
    ],
    [
      "{{ flow_run.state.type | e }} {{ flow_run.state.type | string }} {{ '%s' % flow_run.state.type }}",
      'StateType.FAILED StateType.FAILED StateType.FAILED',
    ],
    ['{{ flow_run.start_time }}', '2026-01-02 03:04:05+00:00'],
    ['{{ flow_run.end_time }}', '2026-01-02 03:05:35.500000+00:00'],
    ['{{ flow_run.end_time - flow_run.start_time }}', '0:01:30.500000'],
    ['{{ flow_run.end_time > flow_run.start_time }}', 'True'],
    ['{{ flow_run.total_run_time }}', '0:01:30.500000'],
    ['{{ flow_run.total_run_time.total_seconds() }}', '90.5'],
    ["{{ flow_run.start_time.strftime('%d.%m.%Y %H:%M') }}", '02.01.2026 03:04'],
    ['{{ flow_run.start_time.isoformat() }}', '2026-01-02T03:04:05+00:00'],
    ['{{ flow_run.end_time | humanize_naturaltime }}', 'an hour ago'],
    ['{{ flow_run.end_time | humanize_naturalday }}', 'today'],
    ['{{ flow_run.total_run_time | humanize_naturaldelta }}', '2 minutes'],
    ['{{ flow_run.total_run_time | humanize_precisedelta }}', '1 minute and 30.50 seconds'],
    ['{{ flow_run.parameters.start_time }}', '2026-01-02T03:04:05Z'],
    ['{{ flow_run.parameters | tojson }}', '{"n": 1, "start_time": "2026-01-02T03:04:05Z"}'],
    ['{{ event.resource.id }} {{ event.resource.name }}', 'prefect.flow-run.abc able-otter'],
    ["{{ event.resource['prefect.resource.name'] }}", 'able-otter'],
    ["{{ event.resource.get('nope', 'none') }}", 'none'],
    ["{{ 'prefect.resource.id' in event.resource }}", 'True'],
    ['{{ event.resource.labels.prefect.resource.name }}', 'able-otter'],
    ['{{ event.related[0].name }} {{ event.related[0].role }}', 'etl flow'],
    ['{{ event.resource_in_role.flow.name }}', 'etl'],
    ["{{ event.find_resource_label('flow:prefect.resource.name') }}", 'etl'],
    ['{{ event.payload.x | sum }}', '3'],
    ['{{ event.payload | tojson }}', '{"x": [1, 2]}'],
    ['{{ labels.prefect.resource.id }} {{ labels.plain }} {{ labels.nope.x }}', 'a.b p '],
    ["{{ labels['prefect.resource.id'] }}", 'a.b'],
    ['{{ variables.greeting }}', 'hi'],
    ['{{ missing_object.state.name }}', ''],
    ['{{ flow_run | ui_url }}', 'https://head.example/runs/0199f000-0000-7000-8000-000000000001'],
    ['{{ work_pool | ui_url }}', 'https://head.example/work-pools/my%20pool'],
    [
      '{{ automation | ui_resource_events_url }}',
      'https://head.example/events?resource=prefect.automation.0199f000-0000-7000-8000-000000000003',
    ],
    [
      '{{ event.resource | ui_resource_events_url }}',
      'https://head.example/events?resource=prefect.flow-run.abc',
    ],
    ['{{ event.payload | ui_url }}', 'None'],
  ])('%s', (template, expected) => {
    expect(render(template, values, options)).toEqual({ text: expected })
  })
})

describe('limits', () => {
  const loop = (body: string) => `{% for a in range(100) %}${body}{% endfor %}`

  it.each([
    ['steps', loop(loop('{{ a * a }}').repeat(9))],
    ['a text by multiplication', "{{ 'x' * 10000000000 }}"],
    [
      'a text that doubles',
      `{% set n = namespace(t='xxxxxxxx') %}${loop('{% set n.t = n.t ~ n.t %}')}`,
    ],
    ['a list by multiplication', '{{ [1] * 10000000000 }}'],
    ['a number', '{{ 10 ** 10000000000 }}'],
    [
      'a number that squares itself',
      `{% set n = namespace(t=9) %}${loop('{% set n.t = n.t * n.t %}')}`,
    ],
    ['padding', "{{ 'x'.center(1000000000000) }}"],
    ['a format', "{{ '{:>1000000000}'.format(1) }}"],
    ['a percent format', "{{ '%1000000000d' % 1 }}"],
    ['digits of a float', "{{ '%.100000000f' % 0.1 }}"],
    ['indentation', "{{ 'a\\nb' | indent(10000000000) }}"],
    ['JSON indentation', '{{ [1] | tojson(10000000000) }}'],
    ['a batch', "{{ [1] | batch(10000000000, 'x') | list }}"],
    ['a replacement', "{{ ('a' * 100000) | replace('a', 'b' * 100000) }}"],
    ['output', loop("{{ 'x' * 10000 }}")],
    ['recursion of a macro', '{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}'],
    ['recursion of a loop', '{% for a in [1] recursive %}{{ loop([1]) }}{% endfor %}'],
    ['brackets', `{{ ${'['.repeat(5000)} }}`],
    ['signs', `{{ ${'-'.repeat(5000)}1 }}`],
    ['negations', `{{ ${'not '.repeat(5000)}1 }}`],
    ['a chain of operators', `{{ 1${' + 1'.repeat(5000)} }}`],
    ['a chain of filters', `{{ 1${' | abs'.repeat(5000)} }}`],
    ['a chain of attributes', `{{ a${'.b'.repeat(5000)} }}`],
    ['statements in statements', '{% if 1 %}'.repeat(5000)],
    ['a namespace that holds itself', '{% set n = namespace() %}{% set n.n = n %}{{ n }}'],
    ['source', `${' '.repeat(200_001)}{{ 1 }}`],
  ])('ends %s', (_, template) => {
    expect(render(template)).toMatchObject({ kind: 'LimitError' })
  })

  it('is quick about it', () => {
    const started = performance.now()
    render(loop(loop('{{ [1, 2, 3] | map("string") | join(",") }}').repeat(9)))
    expect(performance.now() - started).toBeLessThan(3000)
  })
})

const PIECES = [
  '{{', '}}', '{%', '%}', '{#', '#}', '-', ' ', 'for', 'in', 'if', 'else', 'endif', 'endfor', 'set', 'x', 'a.b', '|', 'upper',
  'join', "'", '"', '(', ')', '[', ']', '{', '}', ',', ':', '=', '==', '+', '*', '**', '%', '~', 'not', 'and', 'is', 'defined', '1',
  '2.5', 'range(9)', 'raw', 'endraw', '\n', 'macro', 'endmacro', 'tojson', 'é', '\\', '.', 'none', 'loop', '99999999999',
] // prettier-ignore

describe('any text at all', () => {
  it('renders, or fails with a TemplateError', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom(...PIECES), { maxLength: 40 }),
        fc.jsonValue(),
        (pieces, x) => {
          const source = pieces.join(' ')
          render(source, { x } as JsonObject)
          const fault = checkTemplate(source)
          return fault === undefined || fault.source === source
        },
      ),
      { numRuns: 1500 },
    )
  })

  it('does so for expressions of every shape', () => {
    const leaf = fc.constantFrom(
      'x',
      '1',
      '2.5',
      "'ab'",
      'none',
      '[1, x]',
      '{}',
      'missing',
      '10 ** 40',
    )
    const { expression } = fc.letrec<{ expression: string }>((tie) => ({
      expression: fc.oneof(
        { maxDepth: 5 },
        leaf,
        fc
          .tuple(
            tie('expression'),
            fc.constantFrom('+', '-', '*', '/', '//', '%', '**', '~', 'in', '<', 'and'),
            tie('expression'),
          )
          .map(([a, operator, b]) => `(${a} ${operator} ${b})`),
        fc
          .tuple(
            tie('expression'),
            fc.constantFrom(
              'center(x)',
              'batch(x)',
              'slice(x)',
              'round(x)',
              'indent(x)',
              'truncate(x)',
              'wordwrap(x)',
              'tojson(x)',
              'format(x)',
              'urlize',
              'pprint',
              'humanize_metric',
              'humanize_precisedelta',
              'humanize_fractional',
            ),
          )
          .map(([a, filter]) => `(${a} | ${filter})`),
      ),
    }))
    fc.assert(
      fc.property(expression, fc.jsonValue(), (text, x) => {
        render(`{{ ${text} }}`, { x } as JsonObject)
        return true
      }),
      { numRuns: 1500 },
    )
  })
})
