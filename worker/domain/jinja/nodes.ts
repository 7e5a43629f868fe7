/** The tree of a template. Every node knows its line. */
export type Expression =
  | { type: 'constant'; value: null | boolean | bigint | number | string; line: number }
  | { type: 'name'; name: string; line: number }
  | { type: 'list' | 'tuple'; items: Expression[]; line: number }
  | { type: 'dict'; entries: { key: Expression; value: Expression }[]; line: number }
  | { type: 'attribute'; of: Expression; name: string; line: number }
  | { type: 'item'; of: Expression; key: Expression; line: number }
  | {
      type: 'slice'
      start: Expression | undefined
      stop: Expression | undefined
      step: Expression | undefined
      line: number
    }
  | ({ type: 'call'; callee: Expression; line: number } & CallArguments)
  | FilterNode
  | ({ type: 'test'; value: Expression; name: string; soft: boolean; line: number } & CallArguments)
  | { type: 'not' | 'negative' | 'positive'; value: Expression; line: number }
  | { type: 'and' | 'or'; left: Expression; right: Expression; line: number }
  | { type: 'binary'; operator: BinaryOperator; left: Expression; right: Expression; line: number }
  | { type: 'concat'; items: Expression[]; line: number }
  | {
      type: 'compare'
      first: Expression
      rest: { operator: CompareOperator; value: Expression }[]
      line: number
    }
  | {
      type: 'condition'
      test: Expression
      yes: Expression
      no: Expression | undefined
      line: number
    }

export type BinaryOperator = '+' | '-' | '*' | '/' | '//' | '%' | '**'
export type CompareOperator = 'eq' | 'ne' | 'gt' | 'gteq' | 'lt' | 'lteq' | 'in' | 'notin'

export interface CallArguments {
  positional: Expression[]
  named: { name: string; value: Expression }[]
  spread: Expression | undefined
  spreadNamed: Expression | undefined
}

/** Without a value where it is applied to a block's text. `soft`: an unknown name is a fault only when it is reached. */
export type FilterNode = {
  type: 'filter'
  value: Expression | undefined
  name: string
  soft: boolean
  line: number
} & CallArguments

export type Target =
  | { type: 'name'; name: string; line: number }
  | { type: 'member'; name: string; attribute: string; line: number }
  | { type: 'tuple'; items: Target[]; line: number }

export interface Signature {
  names: string[]
  /** Of the last ones. */
  defaults: Expression[]
}

export type Statement =
  | { type: 'data'; text: string; line: number }
  | { type: 'print'; value: Expression; line: number }
  | { type: 'set'; target: Target; value: Expression; line: number }
  | {
      type: 'set_block'
      target: Target
      filter: FilterNode | undefined
      body: Statement[]
      line: number
    }
  | ForNode
  | {
      type: 'if'
      branches: { test: Expression; body: Statement[] }[]
      otherwise: Statement[]
      line: number
    }
  | { type: 'with'; targets: Target[]; values: Expression[]; body: Statement[]; line: number }
  | MacroNode
  | CallBlockNode
  | { type: 'filter_block'; filter: FilterNode; body: Statement[]; line: number }
  | { type: 'autoescape'; value: Expression; body: Statement[]; line: number }
  | { type: 'block'; name: string; body: Statement[]; line: number }
  | { type: 'load'; line: number }

export interface ForNode {
  type: 'for'
  target: Target
  iterable: Expression
  test: Expression | undefined
  recursive: boolean
  body: Statement[]
  otherwise: Statement[]
  line: number
}

interface MacroNode {
  type: 'macro'
  name: string
  signature: Signature
  body: Statement[]
  line: number
}

export interface CallBlockNode {
  type: 'call_block'
  signature: Signature
  call: Expression & { type: 'call' }
  body: Statement[]
  line: number
}

export interface Template {
  body: Statement[]
  /** How many `for` statements there are, and how many inside one another. */
  loops: number
  loopDepth: number
  /** Filters and tests that are no matter of a condition, with their lines. */
  filters: { name: string; line: number }[]
  tests: { name: string; line: number }[]
}
