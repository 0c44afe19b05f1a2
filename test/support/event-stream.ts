// Reads Server-Sent Events as they come, as text.
/** Reads a stream as it comes; `until` answers the text so far once it matches. */
export function listen(response: Response) {
  if (!response.body) throw new Error("no body")
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader()
  let text = ""
  const more = async () => {
    const { done, value = "" } = await reader.read()
    text += value
    return !done
  }
  return {
    async until(pattern: RegExp): Promise<string> {
      while (!pattern.test(text)) if (!(await more())) throw new Error(`ended before ${pattern}: ${text}`)
      return text
    },
    /** Resolves when the stream has ended. */
    async ended(): Promise<string> {
      while (await more());
      return text
    },
    leave: () => reader.cancel(),
  }
}

/** The ids of the events, in their order. */
export const cursors = (text: string) => [...text.matchAll(/^id: (\d+)$/gm)].map((match) => Number(match[1]))
