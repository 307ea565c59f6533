//! What is kept over restarts, with desks that have a disk and desks that lose what they were told. Time stands still
//! while a file is written, so that no test depends on how quick the disk is.

use super::*;
use crate::{
    happening::State,
    source::{Told, kept::MOST_UNTOLD},
};
use std::fs;

fn happening(occurrence: &str, state: State) -> Happening {
    Happening {
        event_type: "cloud.instance.maintenance".parse().expect("a type"),
        source: "a test",
        occurrence: occurrence.to_owned(),
        launch: Some(String::new()),
        state,
        happened_at: None,
        deadline: Some("2030-01-01T00:15:00Z".parse().expect("a time")),
        data: serde_json::from_str(r#"{"event_id": "a"}"#).expect("a map"),
    }
}

/// A source that remembers numbers, as it starts.
struct Started {
    keeper: Keeper<u32>,
    remembered: Option<u32>,
    notices: Notices,
    told: Told,
}

impl Started {
    async fn at(path: &Path) -> Started {
        Started::where_it_holds(path, |_| true).await
    }

    async fn where_it_holds(path: &Path, holds: impl FnOnce(&u32) -> bool) -> Started {
        let (keeper, remembered) = Keeper::open("a test", Some(path.to_owned()), holds).await;
        let (notices, told) = Notices::channel();
        Started {
            keeper,
            remembered,
            notices,
            told,
        }
    }

    async fn keep(&mut self, remembered: u32, noticed: &[Happening]) {
        let noticed = noticed.to_vec();
        self.keeper.keep(&remembered, noticed, &self.notices).await;
    }

    /// What a desk is told that is killed before its disk has it.
    fn lost(&mut self) -> Vec<Happening> {
        let told = std::iter::from_fn(|| self.told.0.try_recv().ok());
        told.map(|notice| notice.happening).collect()
    }

    /// What a desk is told that brings it to its disk.
    fn kept(&mut self) -> Vec<Happening> {
        std::iter::from_fn(|| self.told.try_recv().ok()).collect()
    }
}

#[tokio::test(start_paused = true)]
async fn e1_what_the_desk_does_not_have_on_its_disk_is_told_after_the_next_start_as_the_same() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("state/test.json");
    let (one, two) = (happening("a", State::Raised), happening("b", State::Cancelled));
    let mut source = Started::at(&path).await;
    assert_eq!(source.remembered, None);
    source.keep(1, &[one.clone(), two.clone()]).await;
    assert_eq!(source.lost(), [one.clone(), two.clone()]);
    let mut source = Started::at(&path).await;
    assert_eq!(source.remembered, Some(1));
    source.keep(1, &[]).await;
    assert_eq!(source.kept(), [one, two]);
    source.keep(1, &[]).await;
    let mut source = Started::at(&path).await;
    source.keep(1, &[]).await;
    assert_eq!(source.kept(), [], "the desk has them");
}

#[tokio::test(start_paused = true)]
async fn what_is_told_stands_in_the_file_before_and_until_the_desk_has_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("test.json");
    let mut source = Started::at(&path).await;
    let text = || fs::read_to_string(&path).expect("it is there");
    source.keep(1, &[happening("a", State::Raised)]).await;
    assert!(text().contains("\"a\""));
    for _ in 0..3 {
        source.keep(2, &[]).await;
        assert!(text().contains("\"occurrence\""), "the desk has said nothing");
    }
    assert_eq!(source.kept().len(), 1, "it is told once while it is under way");
    source.keep(2, &[]).await;
    assert!(!text().contains("\"occurrence\""));
}

#[tokio::test(start_paused = true)]
async fn what_a_desk_lost_is_told_again_without_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut source = Started::at(&folder.path().join("test.json")).await;
    let one = happening("a", State::Raised);
    source.keep(1, std::slice::from_ref(&one)).await;
    for _ in 0..3 {
        assert_eq!(source.lost(), std::slice::from_ref(&one));
        source.keep(1, &[]).await;
    }
    assert_eq!(source.kept(), [one]);
    source.keep(1, &[]).await;
    assert_eq!(source.kept(), []);
}

#[tokio::test(start_paused = true)]
async fn a_file_that_does_not_hold_any_more_or_cannot_be_understood_begins_anew() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("test.json");
    let mut source = Started::at(&path).await;
    source.keep(7, &[happening("a", State::Raised)]).await;
    let mut source = Started::where_it_holds(&path, |remembered| *remembered != 7).await;
    assert_eq!(source.remembered, None);
    source.keep(8, &[]).await;
    assert_eq!(source.lost(), [], "it is not told for something else");
    for text in [
        "",
        "{",
        "{}",
        "[1]",
        "{\"remembered\": 1, \"untold\": [{}]}",
        "\u{0}",
    ] {
        fs::write(&path, text).expect("writes");
        assert_eq!(Started::at(&path).await.remembered, None, "{text:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_file_that_cannot_be_written_keeps_nothing_from_being_told() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("in-the-way"), "").expect("writes");
    let path = folder.path().join("in-the-way/test.json");
    let mut source = Started::at(&path).await;
    let one = happening("a", State::Raised);
    source.keep(1, std::slice::from_ref(&one)).await;
    assert_eq!(source.kept(), [one]);
    fs::remove_file(folder.path().join("in-the-way")).expect("removes");
    source.keep(1, &[]).await;
    assert_eq!(
        Started::at(&path).await.remembered,
        Some(1),
        "it is written when it can be"
    );
}

#[tokio::test(start_paused = true)]
async fn the_file_is_written_only_where_something_changed() {
    use std::os::unix::fs::MetadataExt;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("test.json");
    let mut source = Started::at(&path).await;
    source.keep(1, &[]).await;
    let inode = || fs::metadata(&path).expect("it is there").ino();
    // Held open, so that its number is given to no other.
    let held = fs::File::open(&path).expect("opens");
    let first = inode();
    for _ in 0..10 {
        source.keep(1, &[]).await;
        assert_eq!(inode(), first);
    }
    source.keep(2, &[]).await;
    assert_ne!(inode(), first);
    drop(held);
}

#[test]
fn what_no_desk_takes_is_bounded() {
    let mut untold = Untold::default();
    for number in 0..3 * MOST_UNTOLD {
        untold.add([&happening(&number.to_string(), State::Raised)]);
    }
    let left = untold.by("a test");
    assert_eq!(left.len(), MOST_UNTOLD);
    assert_eq!(
        left[0].occurrence,
        (2 * MOST_UNTOLD).to_string(),
        "the newest stay"
    );
}
