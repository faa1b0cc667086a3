/** Who may import whom, as docs/ARCHITECTURE.md says. */
export type ImportTable = {
  /** Folder or file → what its files may import beside each other. */
  rows: ReadonlyMap<string, readonly string[]>;
  problems: readonly string[];
};

const NOTHING = "nothing";

/**
 * Reads the two tables under the heading "Who may import whom": groups (a name for several things), then rows. Cells
 * hold what stands in backticks, and group names in plain words.
 */
export function parseImportTable(document: string): ImportTable {
  const section = document.split(/^## /m).find((part) => part.startsWith("Who may import whom"));
  if (section === undefined) return { rows: new Map(), problems: ['no heading "Who may import whom"'] };
  const [groupLines, rowLines] = tablesOf(section);
  if (groupLines === undefined || rowLines === undefined) {
    return { rows: new Map(), problems: ["two tables are wanted under the heading: groups, then folders"] };
  }

  const problems: string[] = [];
  const groups = new Map(groupLines.map(([name, members]) => [name!, quoted(members!)]));
  const rows = new Map<string, string[]>();
  for (const [folders, allowed] of rowLines) {
    const targets = [...quoted(allowed!), ...groupMembers(allowed!, groups, problems)];
    for (const folder of quoted(folders!)) {
      if (rows.has(folder)) problems.push(`${folder} stands twice in the import table`);
      rows.set(folder, targets);
    }
  }
  return { rows, problems };
}

function tablesOf(section: string): string[][][] {
  const blocks = section.split(/\n\s*\n/).filter((block) => block.trimStart().startsWith("|"));
  return blocks.map((block) =>
    block
      .trim()
      .split("\n")
      .slice(2)
      .map((line) =>
        line
          .split("|")
          .slice(1, -1)
          .map((cell) => cell.trim()),
      ),
  );
}

function quoted(cell: string): string[] {
  return [...cell.matchAll(/`([^`]+)`/g)].map((found) => found[1]!);
}

function groupMembers(cell: string, groups: ReadonlyMap<string, string[]>, problems: string[]): string[] {
  const words = cell
    .replaceAll(/`[^`]+`/g, "")
    .split(",")
    .map((word) => word.trim())
    .filter((word) => word !== "" && word !== NOTHING);
  return words.flatMap((word) => {
    const members = groups.get(word);
    if (members === undefined) problems.push(`the import table uses "${word}", which is no group`);
    return members ?? [];
  });
}
