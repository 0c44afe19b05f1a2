// A server's list of tools: read from its answer, whatever shape the SDK gives it, and cut to what a token may call. It
// decides nothing about tokens, and lets through nothing that it can't read.
import { createParser } from "eventsource-parser"

type Members = Readonly<Record<string, unknown>>
const isMembers = (value: unknown): value is Members =>
  typeof value === "object" && value !== null && !Array.isArray(value)
const isError = (answer: Members) => "error" in answer && answer.result === undefined

/**
 * The JSON-RPC answer to `id` in a response: a JSON body, or the first such event of a stream, or with another status than 2xx
 * an error to any id, for there are some before a server has read it. Undefined where it is none. Never rejects.
 */
export async function readAnswer(response: Response, id: string | number): Promise<Members | undefined> {
  try {
    return await findAnswer(response, id)
  } catch {
    return undefined // no JSON, or broken off
  }
}

async function findAnswer(response: Response, id: string | number): Promise<Members | undefined> {
  const isAnswer = (value: unknown): value is Members =>
    isMembers(value) && (value.id === id || (!response.ok && isError(value)))
  const type = response.headers.get("content-type") ?? ""
  if (/^application\/json\b/i.test(type)) {
    const value: unknown = await response.json()
    return isAnswer(value) ? value : undefined
  }
  if (!/^text\/event-stream\b/i.test(type)) return undefined
  let answer: Members | undefined
  const parser = createParser({
    onEvent({ data }) {
      const value: unknown = data === "" ? undefined : JSON.parse(data)
      if (isAnswer(value)) answer ??= value
    },
  })
  const text = new TextDecoder()
  // Leaving the loop cancels the stream.
  for await (const part of response.body ?? []) {
    parser.feed(text.decode(part, { stream: true }))
    if (answer) break
  }
  return answer
}

export interface ToolList {
  readonly names: readonly string[]
  readonly nextCursor: unknown
}

/** The names of one page. Undefined: the answer is an error, or no list. */
export function namesOf(answer: Members): ToolList | undefined {
  const { result } = answer
  if (!isMembers(result) || !Array.isArray(result.tools)) return undefined
  const names = result.tools.map((tool: unknown) => (isMembers(tool) ? String(tool.name) : ""))
  return { names, nextCursor: result.nextCursor }
}

/** The same answer with the tools that pass; an error stays as it is, and nothing beside it. Undefined: it is neither. Cursors are kept. */
export function cutList(answer: Members, passes: (name: string) => boolean): Members | undefined {
  const { jsonrpc, id, error, result } = answer
  if (isError(answer)) return { jsonrpc, id, error }
  if (!isMembers(result) || !Array.isArray(result.tools)) return undefined
  const tools = result.tools.filter(
    (tool: unknown) => isMembers(tool) && typeof tool.name === "string" && passes(tool.name),
  )
  // What one token may see is nobody else's to keep.
  return { ...answer, result: { ...result, tools, ...("cacheScope" in result && { cacheScope: "private" }) } }
}
