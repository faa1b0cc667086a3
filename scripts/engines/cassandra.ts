import { mkdir, mkdtemp, readdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ENGINES_FOLDER, findCassandraJars } from "../../test/kit/engines/find-program.ts";
import { missing, type Outcome, ready } from "./outcome.ts";
import { PINNED } from "./pinned.ts";
import { lastLines, runProgram } from "./run-program.ts";

const NAME = `cassandra ${PINNED.cassandra.version}`;

/** Cassandra's jars, found or fetched with Maven (66 MB), and a Java that they run on. */
export async function haveCassandra(): Promise<Outcome> {
  const java = await javaMajor();
  const wanted = PINNED.java.majors.join(" or ");
  if (java === undefined || !(PINNED.java.majors as readonly number[]).includes(java)) {
    const found = java === undefined ? "there is none" : `this is ${java}`;
    return missing(
      `${NAME}: it runs on Java ${wanted}, and ${found}; Debian and Ubuntu: apt install openjdk-17-jre-headless`,
    );
  }
  const { artifact, version } = PINNED.cassandra;
  const jars = findCassandraJars();
  if (jars !== undefined && (await readdir(jars)).includes(`${artifact}-${version}.jar`)) {
    return ready(`${NAME}: found, jars in ${jars}, Java ${java}`);
  }
  return fetchJars();
}

async function javaMajor(): Promise<number | undefined> {
  const { ok, output } = await runProgram("java", ["-version"]);
  const major = /version "(\d+)/.exec(output)?.[1];
  return ok && major !== undefined ? Number(major) : undefined;
}

/** Into a folder beside first, so that a broken fetch leaves nothing that looks whole. */
async function fetchJars(): Promise<Outcome> {
  const { group, artifact, version } = PINNED.cassandra;
  const home = join(ENGINES_FOLDER, "cassandra");
  await mkdir(home, { recursive: true });
  const partial = await mkdtemp(join(home, "partial-"));
  try {
    const pom = join(partial, "pom.xml");
    await writeFile(pom, pomOf(group, artifact, version));
    const lib = join(partial, "lib");
    const fetched = await runProgram("mvn", [
      ...["--batch-mode", "--quiet", "--file", pom, "dependency:copy-dependencies"],
      ...["-DincludeScope=runtime", `-DoutputDirectory=${lib}`],
    ]);
    if (fetched.missing) {
      return missing(
        `${NAME}: missing, and there is no Maven to fetch it with; install Maven and run this again`,
      );
    }
    if (!fetched.ok) {
      return missing(`${NAME}: missing, and Maven could not fetch it\n    ${lastLines(fetched.output)}`);
    }
    await rm(join(home, "lib"), { recursive: true, force: true });
    await rename(lib, join(home, "lib"));
    return ready(`${NAME}: fetched, ${group}:${artifact}:${version}`);
  } finally {
    await rm(partial, { recursive: true, force: true });
  }
}

/** A project that needs nothing but Cassandra: copy-dependencies wants one. */
function pomOf(group: string, artifact: string, version: string): string {
  return `<project>
  <modelVersion>4.0.0</modelVersion>
  <groupId>bimride</groupId>
  <artifactId>engines</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <dependencies>
    <dependency>
      <groupId>${group}</groupId>
      <artifactId>${artifact}</artifactId>
      <version>${version}</version>
    </dependency>
  </dependencies>
</project>
`;
}
