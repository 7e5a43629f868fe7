// The console is one static page: everything it shows comes from the API, with the reader's key.
export const ssr = false
export const prerender = false
export const trailingSlash = 'never'
