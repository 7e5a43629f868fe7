import { MAX_PAGE, type Paged } from '#core/wire/query.ts'

/** The rows that a request asks for. */
export interface Slice {
  limit: number
  offset: number
}

/** Null as well as absent means the default, as in Prefect. */
export function toSlice(body: {
  limit?: number | null | undefined
  offset?: number | null | undefined
}): Slice {
  return { limit: body.limit ?? MAX_PAGE, offset: body.offset ?? 0 }
}

/** The rows of a numbered page, and how its answer is written. */
export function toPage(body: {
  limit?: number | null | undefined
  page?: number | null | undefined
}): { slice: Slice; answer: <T>(results: T[], count: number) => Paged<T> } {
  const limit = body.limit ?? MAX_PAGE
  const page = body.page ?? 1
  return {
    slice: { limit, offset: (page - 1) * limit },
    answer: (results, count) => ({
      results,
      count,
      limit,
      pages: limit === 0 ? 0 : Math.ceil(count / limit),
      page,
    }),
  }
}
