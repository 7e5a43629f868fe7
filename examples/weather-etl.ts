import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { flow, getLogger, runContext, task } from 'headgate'
import { z } from 'zod'

interface Day {
  station: string
  date: string
  celsius: number
}

interface Summary {
  station: string
  days: number
  mean: number
  warmest: string
}

const readStations = task({ name: 'read stations' }, async (file: string): Promise<string[]> => {
  const rows = await readCsv(file)
  const stations = [...new Set(rows.map(([station]) => station ?? ''))].toSorted()
  getLogger().info('%s has %d rows of %d stations', file, rows.length, stations.length)
  return stations
})

/** The first try of one station fails, as reading from elsewhere does now and then: the task is tried again. */
const readDays = task(
  { name: 'read days', retries: 2, retryDelaySeconds: 0.5, retryJitterFactor: 0.2 },
  async ({ file, station }: { file: string; station: string }): Promise<Day[]> => {
    const { attempt } = runContext()
    if (station === 'Reykjavik' && attempt === 1) {
      throw new Error(`the source of ${station} did not answer`)
    }
    const days = (await readCsv(file))
      .filter(([name]) => name === station)
      .map(([name, date, celsius]) => ({
        station: name ?? '',
        date: date ?? '',
        celsius: Number(celsius),
      }))
    getLogger().info('%s: %d days (try %d)', station, days.length, attempt)
    return days
  },
)

const summarise = task({ name: 'summarise' }, (days: Day[]): Summary => {
  const [first] = days
  if (first === undefined) {
    throw new Error('a station without days')
  }
  const sum = days.reduce((total, day) => total + day.celsius, 0)
  const warmest = days.reduce((best, day) => (day.celsius > best.celsius ? day : best), first)
  const mean = Math.round((sum / days.length) * 10) / 10
  getLogger().info('%s: mean %d °C, warmest on %s', first.station, mean, warmest.date)
  return { station: first.station, days: days.length, mean, warmest: warmest.date }
})

const report = task({ name: 'report' }, (summaries: Summary[]): Summary[] => {
  const ranked = summaries.toSorted((a, b) => b.mean - a.mean)
  for (const [index, { station, mean }] of ranked.entries()) {
    getLogger().info('%d. %s %d °C', index + 1, station, mean)
  }
  return ranked
})

/** Reads a file of daily temperatures, summarises each station in a task of its own and ranks them. */
export const weatherEtl = flow(
  {
    name: 'weather-etl',
    description: 'Ranks weather stations by their mean temperature',
    parameters: z.object({
      file: z.string().default('data/temperatures.csv').describe('CSV: station, date, celsius'),
    }),
  },
  async ({ file }) => {
    const stations = await readStations(file)
    const days = readDays.map(stations.map((station) => ({ file, station })))
    const summaries = summarise.map(days)
    return await report(await Promise.all(summaries))
  },
)

async function readCsv(file: string): Promise<string[][]> {
  const text = await readFile(join(import.meta.dirname, file), 'utf8')
  return text
    .trim()
    .split('\n')
    .slice(1)
    .map((line) => line.split(','))
}
