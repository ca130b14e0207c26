//! The examples of how others test with answerback (`examples/tests`), each run with its own tools. The one in Rust is a test of
//! this package.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{Ended, PATIENCE, Program, TestApp, Tool, node_package};

const PROGRAM: &str = env!("CARGO_BIN_EXE_answerback");

fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/tests").join(name)
}

/// A copy of the example's files, as a user has them: what its tools leave there goes with it.
fn copied(name: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(example(name)).unwrap() {
        let file = entry.unwrap().path();
        std::fs::copy(&file, folder.path().join(file.file_name().unwrap())).unwrap();
    }
    folder
}

async fn run(folder: &Path, program: &Path, args: &[&str], env: &[(&str, &str)]) -> Ended {
    let mut command = Command::new(program);
    command.args(args).current_dir(folder).envs(env.iter().copied());
    Program::start(command, Some(b"")).ended_within(3 * PATIENCE).await
}

#[track_caller]
fn passed(ended: &Ended, says: &str) {
    let said = ended.said.out();
    assert!(ended.code == Some(0) && said.contains(says), "{said}\n{}", ended.said.err());
}

#[tokio::test]
async fn pytest() {
    let Some(pytest) = Tool::find("pytest") else { return };
    let folder = copied("pytest");
    let env = [("ANSWERBACK", PROGRAM)];
    let ended = run(folder.path(), pytest.path(), &["-q", "-p", "no:cacheprovider"], &env).await;
    passed(&ended, "4 passed");
}

#[tokio::test]
async fn the_test_runner_of_node() {
    let Some(node) = Tool::find("node") else { return };
    let folder = copied("node");
    let ended = run(folder.path(), node.path(), &["--test"], &[("ANSWERBACK", PROGRAM)]).await;
    passed(&ended, "pass 2");
}

#[tokio::test]
async fn a_shell() {
    let (Some(_), Some(_), Some(sh)) = (Tool::find("curl"), Tool::find("nc"), Tool::find("sh")) else {
        return;
    };
    let app = TestApp::start().await;
    let url = format!("http://{}", app.api);
    let path = std::env::var("PATH").unwrap_or_default();
    let path = format!("{}:{path}", Path::new(PROGRAM).parent().unwrap().display());
    let script = example("shell/orders.sh");
    let env = [("ANSWERBACK_URL", url.as_str()), ("PATH", path.as_str())];
    let folder = tempfile::tempdir().unwrap();
    let ended = run(folder.path(), sh.path(), &[script.to_str().unwrap()], &env).await;
    passed(&ended, "passed");
    assert_eq!(app.get("/listeners").await.expect(200).json()["items"], serde_json::json!([]));
}

/// The compiler of TypeScript agrees with the contract, and what it makes of the example runs.
#[tokio::test]
async fn a_client_that_is_generated_from_the_contract() {
    let (Some(node), Some(packages)) = (Tool::find("node"), node_package("openapi-typescript")) else {
        return;
    };
    let app = TestApp::start().await;
    let folder = copied("typescript");
    let modules = packages.join("node_modules");
    std::os::unix::fs::symlink(&modules, folder.path().join("node_modules")).unwrap();
    std::fs::write(folder.path().join("package.json"), r#"{"type":"module"}"#).unwrap();
    std::fs::write(folder.path().join("openapi.yaml"), app.get("/openapi.yaml").await.expect(200).body)
        .unwrap();
    let url = format!("http://{}", app.api);
    let generator = modules.join("openapi-typescript/bin/cli.js");
    let compiler = modules.join("typescript/bin/tsc");
    let steps: [&[&str]; 3] = [
        &[generator.to_str().unwrap(), "--default-non-nullable=false", "openapi.yaml", "-o", "api.d.ts"],
        &[
            compiler.to_str().unwrap(),
            "--strict",
            "--target",
            "es2022",
            "--module",
            "nodenext",
            "--types",
            "node",
            "--skipLibCheck",
            "orders.ts",
        ],
        &["orders.js", &url],
    ];
    for (step, says) in steps.into_iter().zip(["", "", "passed"]) {
        passed(&run(folder.path(), node.path(), step, &[]).await, says);
    }
}

/// A workflow cannot be run here. What it says of answerback can be read: the settings are settings.
#[test]
fn a_workflow_names_settings_that_there_are() {
    let text = std::fs::read_to_string(example("github-actions.yml")).unwrap();
    let workflow: serde_json::Value = serde_norway::from_str(&text).unwrap();
    let service = &workflow["jobs"]["test"]["services"]["answerback"];
    let env = service["env"].as_object().unwrap();
    assert_eq!(env.len(), 3);
    for variable in env.keys() {
        let known = answerback::config::SETTINGS.iter().any(|setting| setting.variable() == *variable);
        assert!(known, "{variable}");
    }
    assert!(workflow["jobs"]["test"]["steps"].as_array().unwrap().len() > 3);
}
