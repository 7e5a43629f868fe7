/** An answer whose JSON is written already: parsing and writing it anew would change its numbers. */
export function jsonAnswer(text: string, status: 200 | 201 = 200): { response: Response } {
  return {
    response: new Response(text, { status, headers: { 'Content-Type': 'application/json' } }),
  }
}
