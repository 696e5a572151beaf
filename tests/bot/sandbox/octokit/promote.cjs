// What does Octokit make of the local GitHub? Prints what it was told as JSON.
const { Octokit } = require("@octokit/rest");

async function main({ url, token, repository, head }) {
  const octokit = new Octokit({ auth: token, baseUrl: url });
  const [owner, repo] = repository.split("/");
  const here = { owner, repo };
  const pull = await octokit.pulls.create({ ...here, title: "Promote", head: "dev", base: "main", body: "Notes" });
  const one = { ...here, pull_number: pull.data.number };
  await octokit.repos.createCommitStatus({ ...here, sha: head, state: "success", context: "lint" });
  await octokit.repos.createCommitStatus({ ...here, sha: head, state: "success", context: "test" });
  const statuses = await octokit.paginate(octokit.repos.listCommitStatusesForRef, { ...here, ref: head, per_page: 1 });
  const wrong = await octokit.pulls.merge({ ...one, sha: "0".repeat(40) }).catch((error) => error.status);
  const merged = await octokit.pulls.merge({ ...one, sha: head, merge_method: "merge" });
  const sha = merged.data.sha;
  const made = await octokit.repos.createDeployment({
    ...here, ref: sha, environment: "prod", auto_merge: false, required_contexts: [], payload: { op_id: "op_1" },
  });
  await octokit.repos.createDeploymentStatus({ ...here, deployment_id: made.data.id, state: "success" });
  const states = await octokit.repos.listDeploymentStatuses({ ...here, deployment_id: made.data.id });
  const tag = await octokit.git.createTag({ ...here, tag: "v1", message: "One", object: sha, type: "commit" });
  await octokit.git.createRef({ ...here, ref: "refs/tags/v1", sha: tag.data.sha });
  const ref = await octokit.git.getRef({ ...here, ref: "tags/v1" });
  const told = await octokit.graphql("query($owner: String!, $repo: String!) { repository(owner: $owner, name: $repo) { " +
    "pullRequest(number: 1) { state mergeCommit { oid } } } }", here);
  if (told.repository.pullRequest.state !== "MERGED") throw new Error("GraphQL tells another story");
  const seen = told.repository.pullRequest.mergeCommit.oid;
  console.log(JSON.stringify({
    wrong, merged: seen, states: states.data.map((status) => status.state), tag: ref.data.object.type, page: statuses.length,
  }));
}

main(JSON.parse(process.argv[2])).catch((error) => { console.error(error); process.exit(1); });
