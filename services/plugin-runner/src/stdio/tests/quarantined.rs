//! A plugin in quarantine that nobody looks after.

use super::*;

#[tokio::test]
async fn t3_one_in_quarantine_is_tried_again_after_its_rest_and_leaves_it_once_it_runs() {
    let frail = python(HONEST).replace(
        "calls = 0\n",
        "calls = 0\nif not os.path.exists('mended'): os._exit(1)\n",
    );
    let rest = Duration::from_millis(300);
    let restarts = Restarts {
        first: Duration::from_millis(1),
        longest: Duration::from_millis(1),
        crashes: 2,
        quarantine: rest,
        ..Restarts::default()
    };
    let begun = tokio::time::Instant::now();
    let stand = Stand::restarted(&frail, None, SOON, restarts);
    wait_until(SOON, "it is tried twice after its second crash", async || {
        stand.plugin.starts() >= 4
    })
    .await;
    assert!(begun.elapsed() >= 2 * rest, "each after a rest of its own");
    fs::write(stand.folder.path().join("mended"), "").expect("writes");
    stand.running().await;
    stand.check(SOON).await.expect("it answers");
}
