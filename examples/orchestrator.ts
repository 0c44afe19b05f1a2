import { readFileSync } from "node:fs"
import { createOrchestrator } from "taskmint/client"

const orchestrator = createOrchestrator({
  issuer: "http://127.0.0.1:8787",
  credential: {
    clientId: "support-orchestrator",
    privateJwk: JSON.parse(readFileSync("acme/credentials/support-orchestrator.private.json", "utf8")),
  },
})

const task = await orchestrator.start({
  type: "triage-ticket",
  agent: { id: "triage-bot", instance: "pod-7f3c" },
  purpose: "Triage SUP-1042",
  inputs: { ticket: "SUP-1042" },
  reference: process.env.JOB_ID ?? crypto.randomUUID(),
})
console.log(`${task.id} may act until ${new Date(task.deadline).toISOString()}`)

const answer = await task.fetch("http://127.0.0.1:9001/tickets/SUP-1042")
console.log(answer.status, await answer.text())

await task.complete()
