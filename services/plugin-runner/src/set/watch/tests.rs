//! Folders that change, that cannot be watched, and that are too many.

use super::*;
use futures_util::FutureExt;
use std::fs;

const SOON: Duration = Duration::from_secs(20);

fn places(all: impl IntoIterator<Item = PathBuf>) -> Places {
    let mut places = Places::default();
    all.into_iter().for_each(|folder| places.add(folder));
    places
}

async fn these(watch: &mut Watch, places: &Places) {
    watch.these(places).await.expect("all are gone through");
}

async fn watching(folder: &Path) -> Watch {
    let mut watch = Watch::new();
    these(&mut watch, &places([folder.to_owned()])).await;
    watch
}

async fn is_told(watch: &mut Watch, what: &str) {
    let told = tokio::time::timeout(SOON, watch.changed()).await;
    told.unwrap_or_else(|_| panic!("{what} is told"));
}

#[tokio::test]
async fn what_changes_in_a_folder_is_told_and_what_is_read_is_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut watch = watching(folder.path()).await;
    assert_eq!(watch.unwatched, None);
    let file = folder.path().join("run");
    fs::write(&file, "one").expect("writes");
    is_told(&mut watch, "a new file").await;
    fs::read(&file).expect("reads");
    fs::read_dir(folder.path()).expect("reads");
    assert!(watch.changed().now_or_never().is_none(), "nothing has changed");
    fs::remove_file(&file).expect("removes");
    is_told(&mut watch, "that it is gone").await;
}

#[tokio::test(start_paused = true)]
async fn a_folder_that_cannot_be_watched_is_looked_through_from_time_to_time() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut watch = watching(&folder.path().join("absent")).await;
    assert!(watch.unwatched.is_some());
    let begun = Instant::now();
    watch.changed().await;
    assert_eq!(begun.elapsed(), UNWATCHED);
    these(&mut watch, &places([folder.path().to_owned()])).await;
    assert_eq!(watch.unwatched, None, "it can be watched now");
}

#[tokio::test]
async fn t3_an_operators_folder_is_watched_however_many_others_were_before() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut many = Places::default();
    for plugin in 0..=LIMIT / OF_ONE {
        let of_one = (0..OF_ONE).map(|number| folder.path().join(format!("{plugin}-{number}")));
        let of_one: Vec<PathBuf> = of_one.collect();
        of_one
            .iter()
            .for_each(|place| fs::create_dir(place).expect("makes"));
        many.add_of_one(of_one);
    }
    let mut watch = Watch::new();
    these(&mut watch, &many).await;
    assert_eq!(watch.watched.len(), LIMIT);
    assert!(watch.unwatched.is_some());
    many.add(folder.path().to_owned());
    these(&mut watch, &many).await;
    assert!(watch.watched.contains_key(folder.path()));
    assert_eq!(watch.watched.len(), LIMIT);
}

#[test]
fn t3_a_folder_whose_disk_does_not_answer_keeps_nobody_waiting_but_who_would_watch_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let alone = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(1)
        .build()
        .expect("a runtime");
    alone.block_on(async {
        let (answer, held) = std::sync::mpsc::channel::<()>();
        let disk = spawn_blocking(move || held.recv());
        let mut watch = Watch::new();
        let places = places([folder.path().to_owned()]);
        {
            let watching = watch.these(&places);
            tokio::pin!(watching);
            assert!(
                watching.as_mut().now_or_never().is_none(),
                "it goes through them elsewhere"
            );
            drop(answer);
            disk.await.expect("it ends").expect_err("nothing was sent");
            watching.await.expect("all are gone through");
        }
        assert!(watch.watched.contains_key(folder.path()));
    });
}
