import { copyFile, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import ts from "typescript";
import type { ClientPackage } from "./client-packages.ts";

/** The oldest Node that the libraries run on. */
const NODE = ">=20.3";

type RootPackage = { version: string; license: string; dependencies: Record<string, string> };

/**
 * Builds one library into a folder of its own, ready for `npm pack`: JavaScript and types of what its entries need, gen/
 * included, a package.json, README and LICENSE. Node strips no types under node_modules, hence the build. Rejects with the
 * compiler's words when it does not compile.
 */
export async function buildPackage(root: string, library: ClientPackage, folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  const packages = compile(root, library, join(folder, "dist"));
  const parent = JSON.parse(await readFile(join(root, "package.json"), "utf8")) as RootPackage;
  const manifest = manifestOf(library, parent, packages);
  await writeFile(join(folder, "package.json"), `${JSON.stringify(manifest, null, 2)}\n`);
  await copyFile(join(root, "LICENSE"), join(folder, "LICENSE"));
  const readme = join(root, "scripts/pack-clients", `${library.name}.md`);
  await copyFile(readme, join(folder, "README.md"));
}

/** Returns the packages that the built code imports. */
function compile(root: string, { name, entries }: ClientPackage, outDir: string): Set<string> {
  const program = ts.createProgram(
    Object.values(entries).map((entry) => join(root, entry)),
    {
      ...{ rootDir: root, outDir, declaration: true, rewriteRelativeImportExtensions: true },
      ...{ strict: true, noUncheckedIndexedAccess: true, skipLibCheck: true, verbatimModuleSyntax: true },
      target: ts.ScriptTarget.ES2022,
      module: ts.ModuleKind.NodeNext,
      moduleResolution: ts.ModuleResolutionKind.NodeNext,
      lib: ["lib.es2023.d.ts", "lib.dom.d.ts", "lib.dom.iterable.d.ts", "lib.dom.asynciterable.d.ts"],
      types: ["node"],
      noEmitOnError: true,
    },
  );
  const imported = new Set<string>();
  const { diagnostics } = program.emit(undefined, (path, text) => {
    ts.sys.writeFile(path, withoutSourceExtensions(path, text));
    for (const { fileName } of ts.preProcessFile(text, true, true).importedFiles)
      if (!fileName.startsWith(".")) imported.add(packageOf(fileName));
  });
  const faults = [...ts.getPreEmitDiagnostics(program), ...diagnostics];
  if (faults.length > 0) {
    const host = {
      getCanonicalFileName: (path: string) => path,
      getCurrentDirectory: () => root,
      getNewLine: () => "\n",
    };
    throw new Error(`${name} does not compile:\n${ts.formatDiagnostics(faults, host)}`);
  }
  return imported;
}

/** Types name each other as the sources did; consumers have the built files. */
function withoutSourceExtensions(path: string, text: string): string {
  return path.endsWith(".d.ts") ? text.replaceAll(/(from |import\()"(\.[^"]+)\.ts"/g, '$1"$2.js"') : text;
}

function packageOf(specifier: string): string {
  return specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/");
}

function manifestOf(library: ClientPackage, parent: RootPackage, packages: Set<string>): object {
  const { name, description, entries, optional } = library;
  const pinned = (wanted: readonly string[]) =>
    Object.fromEntries(
      wanted.toSorted().map((each) => {
        const version = parent.dependencies[each];
        if (version === undefined)
          throw new Error(`${name} imports ${each}, which package.json does not pin`);
        return [each, `^${version}`];
      }),
    );
  const peers = [...packages].filter((each) => optional.includes(each));
  return {
    ...{
      name,
      version: parent.version,
      description,
      license: parent.license,
      type: "module",
      sideEffects: false,
    },
    engines: { node: NODE },
    exports: Object.fromEntries(Object.entries(entries).map(([path, source]) => [path, builtOf(source)])),
    files: ["dist"],
    dependencies: pinned([...packages].filter((each) => !optional.includes(each))),
    ...(peers.length > 0 && {
      peerDependencies: pinned(peers),
      peerDependenciesMeta: Object.fromEntries(peers.map((each) => [each, { optional: true }])),
    }),
  };
}

function builtOf(source: string): { types: string; default: string } {
  const path = `./dist/${source.replace(/\.ts$/, "")}`;
  return { types: `${path}.d.ts`, default: `${path}.js` };
}
