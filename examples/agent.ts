import { readFileSync } from "node:fs"
import { ClientError } from "taskmint"
import { createOrchestrator, createSession, createSessionKey } from "taskmint/client"

const orchestrator = createOrchestrator({
  issuer: "http://127.0.0.1:8787",
  credential: {
    clientId: "support-orchestrator",
    privateJwk: JSON.parse(readFileSync("acme/credentials/support-orchestrator.private.json", "utf8")),
  },
})

// The agent's key: its private half can't leave this process, and the tokens are worth nothing without it.
const key = createSessionKey()
const request = {
  type: "triage-ticket",
  agent: { id: "triage-bot", instance: "pod-7f3c" },
  purpose: "Triage SUP-1042",
  inputs: { ticket: "SUP-1042" },
  dpopJkt: key.thumbprint,
}

// Completed when the work is done, failed when it throws.
const ticket = await orchestrator.withTask(request, async (task) => {
  const renew = async (resource: string) => {
    await task.renew({ resource })
    return task.handover().tokens
  }
  const session = await createSession({ ...task.handover(), key, renew })
  try {
    const answer = await session.fetch("http://127.0.0.1:9001/tickets/SUP-1042")
    return await answer.json()
  } catch (error) {
    if (error instanceof ClientError) console.error(`${error.code}, next: ${error.next}`)
    throw error
  } finally {
    await session.close()
  }
})
console.log(JSON.stringify(ticket))
