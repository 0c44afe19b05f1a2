// A second sample API: deployments. Its tokens are of no use at tickets, nor theirs here.
import { Hono } from "hono"
import { guard } from "../../guard/hono.ts"
import type { Verifier } from "../../verifier/verifier.ts"

const RESOURCE = "environments/{environment}/services/{service}"

export const createDeploymentsApi = (verifier: Verifier) =>
  new Hono()
    .get("/environments/:environment/services/:service", guard(verifier, "deployments:plan", RESOURCE), (c) =>
      c.json({ changes: 3 }),
    )
    .post(
      "/environments/:environment/services/:service",
      guard(verifier, "deployments:apply", RESOURCE),
      (c) => c.json({ applied: true }, 201),
    )
