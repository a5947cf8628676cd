/** What has come and waits to be asked for; and behind it, how it has ended. */

export interface Arrivals<Item> {
  add(item: Item): void;
  /** Nothing more comes, or what went wrong. Of several ends the first one counts. */
  end(failure?: Failure): void;
  /** The same at once, for what waits is for nobody any more. The last one counts. */
  stop(failure?: Failure): void;
  /** Is there nothing that waits? */
  isEmpty(): boolean;
  /** The next one, as soon as it is here. To be called again when that is settled. */
  next(): Promise<IteratorResult<Item, undefined>>;
}

interface Failure {
  readonly error: unknown;
}

interface Asker<Item> {
  resolve(result: IteratorResult<Item, undefined>): void;
  reject(error: unknown): void;
}

export function createArrivals<Item>(): Arrivals<Item> {
  let waiting: Item[] = [];
  // A place in the list: to shift it for each of many small items would take quadratic time.
  let taken = 0;
  let asker: Asker<Item> | undefined;
  let isOver = false;
  let failure: Failure | undefined;

  const isEmpty = (): boolean => taken === waiting.length;

  function drop(): void {
    waiting = [];
    taken = 0;
  }

  function tellEnd({ resolve, reject }: Asker<Item>): void {
    if (failure === undefined) resolve({ done: true, value: undefined });
    else reject(failure.error);
  }

  function endWith(how: Failure | undefined): void {
    isOver = true;
    failure = how;
    if (asker !== undefined) tellEnd(asker);
    asker = undefined;
  }

  return {
    isEmpty,
    add(value) {
      if (asker === undefined) waiting.push(value);
      else asker.resolve({ done: false, value });
      asker = undefined;
    },
    end(how) {
      if (!isOver) endWith(how);
    },
    stop(how) {
      drop();
      endWith(how);
    },
    next() {
      return new Promise((resolve, reject) => {
        if (!isEmpty()) {
          const value = waiting[taken++] as Item;
          if (isEmpty()) drop();
          resolve({ done: false, value });
        } else if (isOver) tellEnd({ resolve, reject });
        else asker = { resolve, reject };
      });
    },
  };
}
