//! Where plugins write, and what follows from it for what lies there.
//!
//! It never takes a path's word for it: a place is known by its folder too, however that is reached.

use super::{Found, Lost, Spot, walk::Walk};
use crate::fence::{numbers, orders::Orders};
use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

/// Where plugins write, at the end of all links that none of them may have made.
#[derive(Debug, Default)]
pub(in crate::fence) struct Places {
    pub(super) own: Vec<Spot>,
    pub(super) others: Vec<Spot>,
    /// Where working folders lie beside one another, each a place of its own.
    pub(super) homes: Vec<Spot>,
    /// Its own working folder.
    pub(super) home: Vec<Spot>,
    /// The user that it is where it can be.
    pub(super) user: Option<u32>,
}

impl Places {
    /// Where this plugin writes or once did, and where others do, whose ends were found before.
    pub(in crate::fence) fn of(orders: &Orders) -> Places {
        let mut places = Places::named(&orders.own_write, &orders.others_write, &orders.home);
        places.user = Some(orders.user);
        places.find_own_ends();
        places.others.extend(orders.others_ends.iter().cloned());
        places
    }

    /// The same by their paths alone.
    pub(in crate::fence) fn named<'a>(
        own: impl IntoIterator<Item = &'a PathBuf>,
        others: impl IntoIterator<Item = &'a PathBuf>,
        home: &Path,
    ) -> Places {
        let named = |path: &PathBuf| Spot::named(path);
        Places {
            own: own.into_iter().map(named).collect(),
            others: others.into_iter().map(named).collect(),
            homes: home.parent().map(Spot::named).into_iter().collect(),
            home: vec![Spot::named(home)],
            user: None,
        }
    }

    /// What is reached by links of the system is known by its end too; a link of a plugin's leads to no place.
    fn find_own_ends(&mut self) {
        let (own, homes, home) = (
            self.ends(&self.own),
            self.ends(&self.homes),
            self.ends(&self.home),
        );
        self.own.extend(own);
        self.homes.extend(homes);
        self.home.extend(home);
    }

    fn ends(&self, of: &[Spot]) -> Vec<Spot> {
        let found = of.iter().filter_map(|place| self.find(&place.path).ok());
        found.map(|found| found.spot).collect()
    }

    /// The same for those of others, in one go.
    #[cfg(test)]
    pub(super) fn find_ends(&mut self) {
        let others = self.ends(&self.others);
        self.find_own_ends();
        self.others.extend(others);
    }

    /// Walks to the end of a path.
    ///
    /// # Errors
    /// Why there is none that could be granted.
    pub(in crate::fence) fn find(&self, path: &Path) -> Result<Found, Lost> {
        let mut walk = Walk::default();
        let end = walk.go(self, path);
        let Walk { way, bounds, refused } = walk;
        let (spot, opened) = match (end, refused) {
            (_, Some(lost)) => return Err(lost),
            (Err(error), None) => return Err(Lost::Absent { error, way }),
            (Ok(end), None) => end,
        };
        let left = bounds
            .into_iter()
            .find(|(_, place)| !spot.path.starts_with(place));
        if let Some((link, out_of)) = left {
            return Err(Lost::Led { link, out_of });
        }
        Ok(Found {
            spot,
            way,
            mode: opened.mode,
            owner: opened.owner,
            descriptor: opened.descriptor,
        })
    }

    /// Whether a plugin may have made it, and its mode what it is.
    pub(in crate::fence) fn may_be_made_by_a_plugin(&self, real: &Path) -> bool {
        let spot = self
            .find(real)
            .map_or_else(|_| Spot::named(real), |found| found.spot);
        let mut places = self.own.iter().chain(&self.others).chain(&self.homes);
        places.any(|place| place.holds(&spot) && !place.is(&spot))
            || fs::symlink_metadata(real).is_ok_and(|found| numbers::is_plugins(found.uid()))
    }

    /// Whether this plugin may write it, or once could.
    pub(in crate::fence) fn is_own(&self, spot: &Spot) -> bool {
        let mut places = self.own.iter().chain(&self.home);
        places.any(|place| place.holds(spot))
    }

    /// Whether its mode is the plugin's own matter: of its working folder, which it is given, and of what is its
    /// user's.
    pub(in crate::fence) fn is_its_users(&self, real: &Path, owner: u32) -> bool {
        self.user == Some(owner) || self.home.iter().any(|home| real.starts_with(&home.path))
    }

    /// Where another plugin may write it, or something in it.
    pub(in crate::fence) fn of_another(&self, spot: &Spot) -> Option<&Path> {
        // Its own working folder lies where all do, and is nobody else's.
        let is_home = self.home.iter().any(|home| home.holds(spot));
        let homes = self.homes.iter().filter(|homes| !is_home || spot.holds(homes));
        let mut places = self.others.iter().chain(homes);
        let place = places.find(|place| spot.holds(place) || place.holds(spot));
        place.map(|place| place.path.as_path())
    }

    /// The narrowest place of a plugin's that holds this folder, by the path that led here.
    pub(super) fn around(&self, folder: &Spot) -> Option<PathBuf> {
        let granted = self.own.iter().chain(&self.others);
        let granted = granted.filter_map(|place| folder.above(folder.depth_of(place)?));
        let homes = self.homes.iter();
        let homes = homes.filter_map(|homes| folder.above(folder.depth_of(homes)? + 1));
        let places = granted.chain(homes);
        places.max_by_key(|place| place.components().count())
    }
}
