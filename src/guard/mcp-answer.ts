// What an MCP mount answers, besides finished refusals: a message that can't be served, and the server's own response with
// its end joined to the recorded use. It decides nothing.
import { NOT_SHARED } from "../verifier/challenge.ts"
import { joinAnswer } from "../verifier/outgoing.ts"
import type { Allowed } from "../verifier/verifier.ts"
import type { Unservable } from "./mcp-message.ts"

/** As the SDK says it: HTTP's status, and a JSON-RPC error; without an `id` to no message in particular. */
export function refuseMessage(
  { status, code, text }: Unservable,
  id: string | number | null = null,
): Response {
  const headers = { ...NOT_SHARED, ...(status === 405 && { Allow: "POST" }) }
  return Response.json({ jsonrpc: "2.0", error: { code, message: text }, id }, { status, headers })
}

/** A session's id would be a second credential, and one that nobody checks. */
export function withoutSession(response: Response): Response {
  if (!response.headers.has("mcp-session-id")) return response
  const headers = new Headers(response.headers)
  headers.delete("mcp-session-id")
  return new Response(response.body, { status: response.status, headers })
}

/** Adds the decision's headers, and joins the status when the last of the response was read, or its reader went away; 500 where there is no response. */
export async function joinResponse(
  serve: () => Promise<Response>,
  { headers: added, finished }: Pick<Allowed, "headers" | "finished">,
): Promise<Response> {
  let response: Response
  try {
    response = withoutSession(await serve())
  } catch (fault) {
    finished(500)
    throw fault
  }
  const { body, status, headers } = response
  if (!body) finished(status)
  const passed = body && whenEnded(body, () => finished(status))
  return joinAnswer(new Response(passed, { status, headers }), added)
}

function whenEnded(body: ReadableStream<Uint8Array>, finished: () => void): ReadableStream<Uint8Array> {
  const reader = body.getReader()
  let isOver = false
  const ended = () => {
    if (!isOver) finished()
    isOver = true
  }
  return new ReadableStream({
    async pull(controller) {
      const { done, value } = await reader.read().catch((fault: unknown) => {
        ended()
        throw fault
      })
      if (isOver) return
      if (!done) return controller.enqueue(value)
      ended()
      controller.close()
    },
    cancel(reason) {
      ended()
      return reader.cancel(reason)
    },
  })
}
