// Gives back what starting needed and serving does not: modules were read, policies compiled, schemas built. It decides
// nothing; without it the process keeps some 20 MiB of garbage until it is busy, and an idle issuer is never busy.
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"

/**
 * Collects once, thoroughly. It stops the process for some tens of milliseconds, so it is for before the first request.
 * Node offers its collector behind a flag only, which may be set while running.
 */
export function returnMemory(): void {
  setFlagsFromString("--expose-gc")
  const collect: NodeJS.GCFunction = runInNewContext("gc")
  collect({ execution: "sync", flavor: "last-resort", type: "major" })
}
