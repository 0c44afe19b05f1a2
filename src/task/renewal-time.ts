// When a token is to be renewed. It decides that tokens minted together are not renewed together: chance alone would let
// some seconds have half as many renewals again as others.

const EARLIEST_SHARE = 0.7
const SHARES = 0.1
/** Multiples of it, without their whole part, lie as evenly as can be, whatever part of them one looks at (Weyl). */
const GOLDEN = 0.6180339887498949

/** Answers, for one token after the other, after how many whole seconds of its life it is renewed: at 70 to 80 %. */
export function createRenewalTimes(start: number = Math.random()): (lifeSeconds: number) => number {
  let place = start
  return (lifeSeconds) => {
    place = (place + GOLDEN) % 1
    return Math.max(1, Math.floor(lifeSeconds * (EARLIEST_SHARE + SHARES * place)))
  }
}
