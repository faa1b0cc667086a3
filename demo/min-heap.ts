/** A binary heap of numbered items that gives back the one with the smallest key first. */
export type MinHeap = {
  /** Throws a RangeError when `capacity` items are waiting. */
  push(key: number, item: number): void;
  /** The waiting item with the smallest key, or −1 when none is waiting. */
  pop(): number;
};

/** @param capacity how many items can wait at the same time */
export function createMinHeap(capacity: number): MinHeap {
  const keys = new Float64Array(capacity);
  const items = new Uint32Array(capacity);
  let size = 0;
  const put = (at: number, key: number, item: number) => {
    keys[at] = key;
    items[at] = item;
  };
  const sinkFromTop = (key: number, item: number) => {
    let hole = 0;
    for (;;) {
      let child = 2 * hole + 1;
      if (child >= size) break;
      if (child + 1 < size && keys[child + 1]! < keys[child]!) child++;
      if (keys[child]! >= key) break;
      put(hole, keys[child]!, items[child]!);
      hole = child;
    }
    put(hole, key, item);
  };
  return {
    push(key, item) {
      if (size === capacity) throw new RangeError("the heap is full");
      let hole = size++;
      while (hole > 0) {
        const parent = (hole - 1) >> 1;
        if (keys[parent]! <= key) break;
        put(hole, keys[parent]!, items[parent]!);
        hole = parent;
      }
      put(hole, key, item);
    },
    pop() {
      if (size === 0) return -1;
      const smallest = items[0]!;
      size--;
      if (size > 0) sinkFromTop(keys[size]!, items[size]!);
      return smallest;
    },
  };
}
