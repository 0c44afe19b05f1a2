import { describe, expect, test } from "vitest"
import { createShared, oneAtATime } from "../src/turn.ts"

/** Work that ends when it is told to. */
function held() {
  const turns: PromiseWithResolvers<void>[] = []
  const work = () => {
    const turn = Promise.withResolvers<void>()
    turns.push(turn)
    return turn.promise
  }
  return { turns, work }
}

describe("one turn at a time", () => {
  test("all who ask during a turn share the next one, which begins when that is over", async () => {
    const { turns, work } = held()
    const one = oneAtATime(work)
    const [first, second, third] = [one.now(), one.now(), one.now()]
    expect(turns).toHaveLength(1)
    turns[0]?.resolve()
    await first
    await expect.poll(() => turns.length).toBe(2)
    turns[1]?.resolve()
    await Promise.all([second, third])
    expect(turns).toHaveLength(2)
  })

  test("a turn that fails is told to those who asked for it, and to nobody else", async () => {
    const { turns, work } = held()
    const one = oneAtATime(work)
    const [first, second] = [one.now(), one.now()]
    turns[0]?.reject(new Error("away"))
    await expect(first).rejects.toThrow("away")
    await expect.poll(() => turns.length).toBe(2)
    turns[1]?.resolve()
    await second
  })

  test("it is settled when the last turn that was asked for is over, failed or not", async () => {
    const { turns, work } = held()
    const one = oneAtATime(work)
    await one.settled()
    const asked = Promise.allSettled([one.now(), one.now()])
    let settled = false
    const settling = one.settled().then(() => {
      settled = true
    })
    turns[0]?.resolve()
    await expect.poll(() => turns.length).toBe(2)
    expect(settled).toBe(false)
    turns[1]?.reject(new Error("away"))
    await Promise.all([asked, settling])
  })
})

describe("work that one of several does", () => {
  test("is ours until another was first, and again once it leaves something for so many looks", () => {
    const shared = createShared(2)
    expect([shared.isOurs(0, 5), shared.isOurs(0, 9)]).toEqual([true, true])
    shared.taken()
    expect(shared.isOurs(5, 9)).toBe(false)
    // It did what there was, and more has come: that is its own, too.
    expect([shared.isOurs(9, 20), shared.isOurs(20, 30)]).toEqual([false, false])
    // What there was a look ago is not done, and then it is.
    expect([shared.isOurs(29, 40), shared.isOurs(30, 50)]).toEqual([false, false])
    // Not for two looks.
    expect([shared.isOurs(31, 60), shared.isOurs(49, 70), shared.isOurs(49, 80)]).toEqual([false, true, true])
  })

  test("stays another's where nothing is left to do", () => {
    const shared = createShared(1)
    shared.taken()
    for (let look = 0; look < 5; look++) expect(shared.isOurs(7, 7)).toBe(false)
  })
})
