/** The characters as Python counts them: a surrogate pair is one. */
export function characters(text: string): string[] {
  // Splitting by unit is many times faster, and the same where there are no pairs.
  return /[\ud800-\udfff]/.test(text) ? Array.from(text) : text.split('')
}
