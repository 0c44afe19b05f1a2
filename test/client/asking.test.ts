// A question to a person by an agent that authenticates by itself.
import { afterEach, expect, test } from "vitest"
import { byCredential } from "../../src/client/approval.ts"
import { openIssuer } from "../../src/client/issuer-call.ts"
import { generatePrivateJwk } from "../../src/token/signature.ts"
import { type ScriptedServer, startScripted } from "../support/scripted-server.ts"
import { simulate } from "../support/simulated.ts"

let server: ScriptedServer
afterEach(() => server.close())

test("is put once more where the connection was closed meanwhile: the same question is not asked again", async () => {
  let cuts = 0
  server = await startScripted(({ path }) => {
    if (path === "/token") return { body: { access_token: "service", expires_in: 300 } }
    return cuts++ === 0 ? { cut: true } : { body: { id: "apr_1", state: "requested" } }
  })
  const around = simulate()
  const credential = { clientId: "triage-bot", privateJwk: generatePrivateJwk("ES256") }
  const { send } = byCredential(openIssuer({ issuer: server.origin, credential }, around.clock), {
    task: "task_1",
    around,
  })
  expect(await send("POST", "/approvals", { task_id: "task_1" })).toMatchObject({ id: "apr_1" })
  expect(cuts).toBe(2)
})
