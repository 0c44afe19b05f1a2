// Which texts are worth a place in a cache: those that come a second time. It decides nothing about what they are worth else.

/** Whether the text came before, not long ago; it has come now. Only its end is looked at, which for a token is random. */
export type Doorkeeper = (text: string) => boolean

/** Texts that are remembered at most; a power of two. */
const PLACES = 4096
/** Of base64url: more bits than a place holds. */
const CHARACTERS = 8

/**
 * The doorkeeper of TinyLFU (Einziger, Friedman and Manes 2017), with one place for each text, which the next of that place
 * takes. Numbers alone are kept: what is shown once leaves nothing behind that the garbage collector would have to look at.
 */
export function createDoorkeeper(): Doorkeeper {
  const seen = new Int32Array(PLACES)
  return (text) => {
    let print = text.length
    for (let at = text.length - CHARACTERS; at < text.length; at++)
      print = (Math.imul(print, 31) + text.charCodeAt(at)) | 0
    const place = print & (PLACES - 1)
    if (seen[place] === print) return true
    seen[place] = print
    return false
  }
}
