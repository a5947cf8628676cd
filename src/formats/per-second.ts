/** Text of a time that is the same for a whole second: written once for all who ask in it, for Node writes dates slowly. */
export function perSecond(write: (time: Date) => string): (milliseconds: number) => string {
  let current = Number.NaN;
  let written = "";
  return (milliseconds) => {
    const second = Math.floor(milliseconds / 1000);
    if (second !== current) {
      written = write(new Date(milliseconds));
      current = second;
    }
    return written;
  };
}
