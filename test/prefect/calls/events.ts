import { get, post, type Scenario } from '../differential/call.ts'

const event = (name: string, id: string, more: Record<string, unknown> = {}) => ({
  id,
  event: name,
  occurred: '<now-60>',
  resource: { 'prefect.resource.id': `thing.${name}`, 'prefect.resource.name': name, color: 'red' },
  related: [{ 'prefect.resource.id': 'owner.1', 'prefect.resource.role': 'owner' }],
  payload: { a: [1, null] },
  ...more,
})
const ID = (n: number) => `0000000${n}-1111-4111-8111-111111111111`
const own = { any_resource: { id_prefix: ['thing.'] } }
const filter = (more: Record<string, unknown>, rest: Record<string, unknown> = {}) =>
  post('/events/filter', { filter: { ...own, ...more }, ...rest })

export const events: Scenario[] = [
  {
    name: 'events',
    calls: [
      post('/events', [
        event('a.one', ID(1)),
        event('a.two', ID(2), {
          occurred: '<now-50>',
          resource: { 'prefect.resource.id': 'thing.a.two', color: 'blue' },
        }),
        event('b.one', ID(3), { occurred: '<now-40>', related: [] }),
        event('b.two', ID(4), { occurred: '<now-30>', follows: ID(3) }),
      ]),
      post('/events', []),
      post('/events', [event('a.one', ID(1))]),
      post('/events', [{ event: 'x' }]),
      post('/events', [event('x', ID(5), { resource: {} })]),
      post('/events', [event('x', ID(5), { related: [{ 'prefect.resource.id': 'x' }] })]),
      post('/events', {}),
      post('/events/count-by/event', { filter: own }, { until: 4, unordered: true }),
      filter({ order: 'ASC' }),
      filter({ event: { name: ['a.one'] } }),
      filter({ event: { prefix: ['a.'] } }),
      filter({ event: { exclude_prefix: ['a.'] } }),
      filter({ event: { exclude_name: ['a.one'] } }),
      filter({ event: { name: [] } }),
      filter({ occurred: { since: '<now-45>' } }),
      filter({ occurred: { until: '<now-45>' } }),
      filter({ id: { id: [ID(2)] } }),
      filter({ resource: { id: ['thing.a.one'] } }),
      filter({ resource: { labels: { color: 'blue' } } }),
      filter({ resource: { labels: { color: ['blue', 'red'] } } }),
      filter({ resource: { labels: { color: '!blue' } } }),
      filter({ resource: { labels: { color: 'r*' } } }),
      filter({ resource: { distinct: true } }),
      filter({ related: { id: ['owner.1'] } }),
      filter({ related: { role: ['owner'] } }),
      filter({ related: [{ role: ['owner'] }, { id: ['none'] }] }),
      filter({ related: { resources_in_roles: [['owner.1', 'owner']] } }),
      filter({ any_resource: { id: ['owner.1'] } }),
      filter({ text: { query: 'two' } }),
      filter({ nonsense: 1 }),
      filter({}, { limit: 2 }),
      filter({}, { limit: 0 }),
      filter({}, { limit: 51 }),
      post('/events/count-by/event', { filter: own }, { unordered: true }),
      post('/events/count-by/resource', { filter: own }, { unordered: true }),
      post('/events/count-by/nonsense', { filter: own }),
      post('/events/count-by/time', { filter: own, time_unit: 'nonsense' }),
      get('/events/filter/next?page-token=nonsense'),
    ],
  },
]
