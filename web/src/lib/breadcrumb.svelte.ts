interface Step {
  name: string
  /** Absent for the page itself. */
  path?: string
}

/** The way to the page on screen; each page says its own. */
class Breadcrumb {
  trail = $state.raw<Step[]>([])
}

export const breadcrumb = new Breadcrumb()
