/** A fenced block of a Markdown document. */
export type FencedBlock = {
  /** What follows the opening fence, e.g. `sh run`. */
  info: string;
  text: string;
  /** Line of the opening fence, from 1. */
  line: number;
};

/** All fenced blocks of the document, in order. */
export function fencedBlocks(markdown: string): FencedBlock[] {
  const blocks: FencedBlock[] = [];
  let open: FencedBlock | undefined;
  for (const [index, line] of markdown.split("\n").entries()) {
    if (!line.startsWith("```")) {
      if (open) open.text += `${line}\n`;
    } else if (open) {
      blocks.push(open);
      open = undefined;
    } else {
      open = { info: line.slice(3).trim(), text: "", line: index + 1 };
    }
  }
  return blocks;
}

/** A block to run and the lines that its output must show, in this order; each is a part of a line. */
export type RunnableBlock = { script: string; shows: string[]; line: number };

/** Blocks marked `sh run`, each with the block marked `text shows` that follows it, if one does. */
export function runnableBlocks(markdown: string): RunnableBlock[] {
  const blocks = fencedBlocks(markdown);
  return blocks.flatMap((block, index) => {
    if (block.info !== "sh run") return [];
    const next = blocks[index + 1];
    const shows = next?.info === "text shows" ? next.text.trimEnd().split("\n") : [];
    return [{ script: block.text, shows, line: block.line }];
  });
}

/** A line to try: who sends what with a client program that the reader has. */
export type LineToTry = {
  /** The program. */
  client: string;
  script: string;
  line: number;
};

/** Blocks marked `sh try PROGRAM`, and what to run before each: the one marked `sh try token`. */
export function linesToTry(markdown: string): { token: string; lines: LineToTry[] } {
  const marked = fencedBlocks(markdown).flatMap(({ info, text, line }) => {
    const client = /^sh try (\S+)$/.exec(info)?.[1];
    return client === undefined ? [] : [{ client, script: text, line }];
  });
  const token = marked.find(({ client }) => client === "token")?.script ?? "";
  return { token, lines: marked.filter(({ client }) => client !== "token") };
}
