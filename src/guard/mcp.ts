// Guards a tool of an MCP server: its call's arguments become an operation on a resource, and the tool gets what was
// checked. It reads no request, chooses no status and no default; the mount (mcp-mount.ts) asks it before the tool runs.
import type { AuthInfo, ServerContext } from "@modelcontextprotocol/server"
import { asGuard, prepareTarget } from "../verifier/target.ts"
import type { Decision, RequestView, TaskUse, Verifier } from "../verifier/verifier.ts"

/** Decides one call of one tool, by the call's own arguments. */
export interface ToolGuard {
  (view: RequestView, given: Readonly<Record<string, unknown>>): Promise<Decision>
  readonly operation: string
}

/** Lets a call through when its token grants `operation` on `template`, where `{id}` is the argument `id`, a string. */
export function guard(verifier: Verifier, operation: string, template: string): ToolGuard {
  const target = prepareTarget(operation, template, verifier)
  const taskGuard = (view: RequestView, given: Readonly<Record<string, unknown>>) => {
    // What a person approves of a call are its arguments, all of them.
    return target.check(verifier, view, given, () => given)
  }
  return asGuard(Object.assign(taskGuard, { operation }))
}

const checked = new WeakSet<object>()
const isChecked = (value: unknown): value is TaskUse =>
  typeof value === "object" && value !== null && checked.has(value)

/** The checked values of the call that a tool serves: what it uses instead of its arguments. Throws where no guard decided. */
export function taskOf({ http }: Pick<ServerContext, "http">): TaskUse {
  const task = http?.authInfo?.extra?.task
  if (!isChecked(task)) throw new TypeError("taskOf: no guard has decided this call")
  return task
}

/** What the SDK hands to the tool; the token is not in it. */
export function describeCaller(use: TaskUse): AuthInfo {
  checked.add(use)
  return { token: "[checked]", clientId: use.orchestrator, scopes: [use.operation], extra: { task: use } }
}
