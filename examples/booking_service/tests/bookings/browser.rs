//! The page as a browser shows it, where there is one.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    page::Page,
    server::{Server, block_on, new_id},
    shared::Result,
};

const NAMES: [&str; 5] =
    ["chromium", "chromium-headless-shell", "chromium-browser", "google-chrome", "google-chrome-stable"];

/// The browser of `CHROMIUM`, or one on the path.
fn chromium() -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let on_the_path = || NAMES.iter().flat_map(|name| env::split_paths(&path).map(move |folder| folder.join(name)));
    env::var_os("CHROMIUM").map(PathBuf::from).or_else(|| on_the_path().find(|program| program.is_file()))
}

fn run(browser: &Path, profile: &Path, arguments: &[&str]) -> Result<String> {
    let profile = format!("--user-data-dir={}", profile.display());
    let common =
        ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--window-size=760,1000", &profile];
    let output = Command::new(browser).args(common).args(arguments).output()?;
    if !output.status.success() {
        return Err(format!("{}: {}", browser.display(), String::from_utf8_lossy(&output.stderr)).into());
    }
    Ok(String::from_utf8(output.stdout)?)
}

#[test]
fn the_page_of_bookings_shows_which_seats_are_taken() -> Result<()> {
    let server = Server::start()?;
    let url = format!("{}/shows/1", server.address);
    let html = block_on(async {
        server.put(&new_id(), 1, &["B3", "B4"]).send().await?.error_for_status()?;
        let answer = server.get("/shows/1").send().await?;
        let policy = answer.headers()["content-security-policy"].to_str()?.to_owned();
        assert!(policy.contains("default-src 'none'"), "{policy}");
        Ok(answer.text().await?)
    })?;
    let seats = |html: &str| {
        let page = Page::read(html);
        (page.free.len(), page.taken)
    };
    let expected = (38, vec!["B3".to_owned(), "B4".to_owned()]);
    assert_eq!(seats(&html), expected);

    let Some(browser) = chromium() else {
        println!("no Chromium here, set CHROMIUM to its path: the page was read over HTTP only");
        return Ok(());
    };
    let folder = tempfile::tempdir()?;
    assert_eq!(seats(&run(&browser, folder.path(), &["--dump-dom", &url])?), expected);

    // In the folder of the build, to be looked at.
    let picture = Path::new(env!("CARGO_TARGET_TMPDIR")).join("seats.png");
    run(&browser, folder.path(), &[&format!("--screenshot={}", picture.display()), &url])?;
    assert!(fs::metadata(&picture)?.len() > 10_000, "{} is no picture of seats", picture.display());
    println!("{}: {}", browser.display(), picture.display());
    Ok(())
}
