// The light surface of the package: the guard in front of an API, the client's side, and the words for refusals. What an
// issuer needs (engine, policies, HTTP service) is under "taskmint/issuer" and is not loaded from here.
export { createOrchestrator, createSession } from "./client/client.ts"
export { ClientError } from "./client/error.ts"
export { type Code, type Next, REFUSALS } from "./errors.ts"
export { createVerifier, type TaskUse, type Verifier } from "./verifier/verifier.ts"
