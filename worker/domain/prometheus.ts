/** A gauge in Prometheus' text format: its name, what it says, and a value for each set of labels. */
export interface Gauge {
  name: string
  help: string
  values: { labels?: Readonly<Record<string, string>>; value: number }[]
}

/** Writes gauges in the text format, version 0.0.4. Source: prometheus.io, "Exposition formats". */
export function prometheusText(gauges: readonly Gauge[]): string {
  return gauges
    .map(({ name, help, values }) =>
      [
        `# HELP ${name} ${help}`,
        `# TYPE ${name} gauge`,
        ...values.map(({ labels, value }) => `${name}${labelsText(labels)} ${value}`),
        '',
      ].join('\n'),
    )
    .join('')
}

function labelsText(labels: Readonly<Record<string, string>> = {}): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value)}"`)
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`
}

function escaped(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
}
