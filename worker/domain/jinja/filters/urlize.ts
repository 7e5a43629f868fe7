import { escapeText } from '../escape.ts'

interface LinkOptions {
  limit: number | undefined
  rel: string
  target: string | undefined
  schemes: readonly string[]
}

const HOST =
  /^(?:(?:https?:\/\/|www\.)(?:[\w%-]+\.)+(?:[a-z]{2,63}|xn--[\w%]{2,59})|(?:[\w%-]{2,63}\.)+(?:com|net|int|edu|gov|org|info|mil)|https?:\/\/(?:(?:\d{1,3}(?:\.\d{1,3}){3})|\[(?:[\da-f]{0,4}:){2}(?:[\da-f]{0,4}:?){1,6}\]))(?::\d{1,5})?(?:[/?#]\S*)?$/iu
const MAIL = /^\S+@\w[\w.-]*\.\w+$/u
/** No address is longer, and patterns take their time over long words. */
const MAX_WORD = 4096

/** Makes links of the addresses in an escaped text. */
export function linkWords(text: string, options: LinkOptions): string {
  return text
    .split(/(\s+)/)
    .map((word) => linkWord(word, options))
    .join('')
}

function linkWord(word: string, options: LinkOptions): string {
  if (word.length > MAX_WORD) {
    return word
  }
  const head = /^(?:[(<]|&lt;)+/.exec(word)?.[0] ?? ''
  let middle = word.slice(head.length)
  let tail = ''
  for (let end = endOf(middle); end !== ''; end = endOf(middle)) {
    tail = end + tail
    middle = middle.slice(0, middle.length - end.length)
  }
  for (const [open, close] of [
    ['(', ')'],
    ['<', '>'],
    ['&lt;', '&gt;'],
  ] as const) {
    const opened = count(middle, open)
    const moves = opened <= count(middle, close) ? 0 : Math.min(opened, count(tail, close))
    for (let move = 0; move < moves; move += 1) {
      const end = tail.indexOf(close) + close.length
      middle += tail.slice(0, end)
      tail = tail.slice(end)
    }
  }
  return head + link(middle, options) + tail
}

/** A sign at the end that belongs to the sentence, not to the address. */
function endOf(text: string): string {
  return text.endsWith('&gt;') ? '&gt;' : /[)>.,]$/.test(text.slice(-1)) ? text.slice(-1) : ''
}

function count(text: string, part: string): number {
  return text.split(part).length - 1
}

function link(word: string, { limit, rel, target, schemes }: LinkOptions): string {
  const attributes =
    (rel === '' ? '' : ` rel="${escapeText(rel)}"`) +
    (target === undefined || target === '' ? '' : ` target="${escapeText(target)}"`)
  const shown = limit !== undefined && word.length > limit ? `${word.slice(0, limit)}...` : word
  if (HOST.test(word)) {
    const address = /^https?:\/\//.test(word) ? word : `https://${word}`
    return `<a href="${address}"${attributes}>${shown}</a>`
  }
  if (word.startsWith('mailto:') && MAIL.test(word.slice(7))) {
    return `<a href="${word}">${word.slice(7)}</a>`
  }
  const isMail =
    word.includes('@') && !word.startsWith('www.') && !word.startsWith('@') && !word.includes(':')
  if (isMail && MAIL.test(word)) {
    return `<a href="mailto:${word}">${word}</a>`
  }
  return schemes.reduce(
    (linked, scheme) =>
      linked !== scheme && linked.startsWith(scheme)
        ? `<a href="${linked}"${attributes}>${linked}</a>`
        : linked,
    word,
  )
}
