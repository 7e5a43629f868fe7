/** The platform's own stub, as its test tools want it, behind the one that `operations/stubs` gives. */
export function asStub(remote: { readonly id: DurableObjectId }): DurableObjectStub {
  return remote as unknown as DurableObjectStub
}
