// How many requests are under way, so that closing can wait for the last of them. Whoever comes later is refused.
import { refuse } from "../errors.ts"
import { newUuid } from "../token/id.ts"
import { problem } from "./problem.ts"

/** The same answers, and an end that waits for those that are being made, as long as is said. */
export function countRequests(answer: (request: Request) => Promise<Response>) {
  let underWay = 0
  let idle: (() => void) | undefined
  let closed: Promise<void> | undefined
  const leave = () => {
    underWay -= 1
    if (underWay === 0) idle?.()
  }
  return {
    fetch(request: Request): Promise<Response> {
      if (closed) return Promise.resolve(problem(refuse("temporarily_unavailable", "[closed]"), newUuid()))
      underWay += 1
      return answer(request).finally(leave)
    },
    close(graceMilliseconds: number): Promise<void> {
      closed ??= new Promise((resolve) => {
        idle = resolve
        if (underWay === 0) resolve()
        else setTimeout(resolve, graceMilliseconds).unref()
      })
      return closed
    },
  }
}
