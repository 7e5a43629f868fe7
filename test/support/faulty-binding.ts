import { runInDurableObject } from 'cloudflare:test'

/** How a call between two objects ends: never arriving, or arriving while its answer is lost. */
export type Fault = 'none' | 'refuses' | 'takes and fails'

type Method = (...parameters: unknown[]) => Promise<unknown>

/** Puts a fault between an object and those of a binding, for calls of one method. It lasts until all is put right with `none`. */
export async function setFault(
  object: DurableObjectStub,
  binding: string,
  method: string,
  fault: Fault,
): Promise<void> {
  await runInDurableObject(object, (instance) => {
    const { env } = instance as unknown as { env: Record<string, DurableObjectNamespace> }
    const real = originals.get(binding) ?? env[binding]
    if (real === undefined) {
      throw new Error(`there is no binding ${binding}`)
    }
    originals.set(binding, real)
    env[binding] = fault === 'none' ? real : faulty(real, method, fault)
  })
}

const originals = new Map<string, DurableObjectNamespace>()

function faulty(
  real: DurableObjectNamespace,
  method: string,
  fault: Fault,
): DurableObjectNamespace {
  return new Proxy(real, {
    get: (target, key) => {
      const member: unknown = Reflect.get(target, key)
      if (key !== 'get') {
        return typeof member === 'function' ? member.bind(target) : member
      }
      return (id: DurableObjectId) => {
        const stub = target.get(id) as unknown as Record<string, Method>
        return new Proxy(stub, {
          get: (_stub, name) =>
            name !== method
              ? Reflect.get(stub, name)
              : async (...parameters: unknown[]) => {
                  if (fault === 'takes and fails') {
                    await stub[method]?.(...parameters)
                  }
                  throw new Error('Network connection lost.')
                },
        })
      }
    },
  })
}
