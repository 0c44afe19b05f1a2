// The light surface of the package: the guard in front of an API, the client's side, the words for refusals, and the
// types of all three. What an issuer needs (engine, policies, HTTP service) is under "taskmint/issuer" and is not loaded
// from here. Subpaths hold the same things: an error caught from "taskmint/client" is an instance of this ClientError.

export type { ApprovalQuestion, AskApproval, RefusedCall } from "./client/approval.ts"
export {
  createOrchestrator,
  createSession,
  createSessionKey,
  type OrchestratorOptions,
} from "./client/client.ts"
export type { Delegated, DelegateRequest } from "./client/delegation.ts"
export { type ClientCode, ClientError } from "./client/error.ts"
export type { TaskFetch } from "./client/fetch.ts"
export type { HandedToken, HeldToken, TaskTokenHeld } from "./client/held-token.ts"
export type { Orchestrator, StartRequest, TaskView } from "./client/orchestrator.ts"
export type { Session } from "./client/session.ts"
export type { OwnKey, SessionKey } from "./client/session-key.ts"
export type { SessionOptions } from "./client/session-options.ts"
export type { Change, Changed, Handover, RenewRequest, Task } from "./client/task.ts"
export type { WithTaskOptions } from "./client/with-task.ts"
export { type Code, type FieldError, type Next, REFUSALS } from "./errors.ts"
export type { ServiceCredential } from "./remote/service-token.ts"
export type { Clock } from "./time.ts"
export type { Answer, ResourceMetadata } from "./verifier/challenge.ts"
export type { VerifierOptions } from "./verifier/options.ts"
export type { Readiness } from "./verifier/readiness.ts"
export {
  type Allowed,
  createVerifier,
  type Decision,
  type NotOurs,
  type Observed,
  type Refused,
  type RequestView,
  type TaskUse,
  type Verifier,
} from "./verifier/verifier.ts"
