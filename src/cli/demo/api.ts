// A process of the demo: one guarded sample API. It listens at once, on a free port, and serves when it has a verifier.
import { setTimeout as sleep } from "node:timers/promises"
import { createVerifier, type Verifier } from "../../verifier/verifier.ts"
import { listen } from "../server.ts"
import { answerCues } from "./cues.ts"
import { createDeploymentsApi } from "./deployments.ts"
import { createTicketsApi } from "./tickets.ts"

interface Opening {
  readonly issuer: string
  readonly resource: string
  readonly spool: string
  readonly privateJwkFile: string
}

const name = process.argv[2] === "deployments" ? "deployments" : "tickets"
const server = await listen("127.0.0.1", 0)
let verifier: Verifier | undefined

answerCues(
  {
    address: () => `http://127.0.0.1:${server.port}`,
    async open({ privateJwkFile, ...options }: Opening) {
      verifier = await createVerifier({ ...options, credential: { clientId: name, privateJwkFile } })
      server.serve((name === "tickets" ? createTicketsApi : createDeploymentsApi)(verifier).fetch)
      await untilReady(verifier)
    },
    flush: () => verifier?.flush(),
  },
  async () => {
    await server.drain(500)
    await verifier?.close()
  },
)

async function untilReady(opened: Verifier): Promise<void> {
  for (let tries = 0; !opened.ready().ready; tries++) {
    if (tries > 500) throw new Error(`not ready: ${opened.ready().reasons.join(", ")}`)
    await sleep(10)
  }
}
