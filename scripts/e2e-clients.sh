#!/usr/bin/env bash
# Installs the clients that the end-to-end part uses: a browser and a JDK by apt, the pinned npm, pip and Maven
# packages into tests/e2e/node_modules, .cache/venv and .cache/spring. Does nothing when they are there.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/lib.sh
. scripts/lib.sh

need node nodejs npm
need npm npm
need chromium chromium
need javac default-jdk-headless
need mvn maven
need python3 python3 python3-venv
# Debian ships Python without the part that makes environments.
python3 -c 'import ensurepip, venv' 2>/dev/null || install python3-venv

wanted=$(cat tests/e2e/package-lock.json tests/e2e/requirements.txt tests/e2e/spring/* | cksum)
mark=.cache/e2e-installed
[ "$(cat "$mark" 2>/dev/null)" = "$wanted" ] && exit 0

say 'Installing the pinned test clients (npm, pip and Maven)'
# Playwright must not fetch a browser of its own: the one from apt is used.
(cd tests/e2e && PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1 npm ci --silent --no-audit --no-fund)
python3 -m venv .cache/venv
.cache/venv/bin/pip install -q --disable-pip-version-check -r tests/e2e/requirements.txt
rm -rf .cache/spring && mkdir -p .cache/spring
mvn -q -B -f tests/e2e/spring/pom.xml dependency:copy-dependencies -DoutputDirectory="$PWD/.cache/spring/libs" -DincludeScope=runtime
javac -encoding UTF-8 -cp '.cache/spring/libs/*' -d .cache/spring tests/e2e/spring/SpringClient.java
echo "$wanted" > "$mark"
