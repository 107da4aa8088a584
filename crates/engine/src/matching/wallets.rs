//! What accounts own, asset by asset; shared by all markets of one exchange.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// One account's holding of one asset, raw 1e-9.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct Holding {
    /// At its owner's disposal.
    pub free: i128,
    /// Set aside for resting orders.
    pub locked: i128,
}

/// The wallets of all accounts; a clone is another door to the same wallets.
///
/// Markets of one exchange run on one thread; the lock only makes sharing safe to state.
#[derive(Clone, Debug, Default)]
pub struct Wallets(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    assets: Vec<String>,
    /// By account, then by asset; assets that came later are missing at the end.
    accounts: Vec<Vec<Holding>>,
}

impl Wallets {
    /// The number of an asset; a new one is added.
    pub fn asset(&self, name: &str) -> usize {
        let mut state = self.state();
        if let Some(index) = state.assets.iter().position(|known| known == name) {
            return index;
        }
        state.assets.push(name.to_owned());
        state.assets.len() - 1
    }

    /// A new, empty account; its number.
    pub fn open_account(&self) -> usize {
        let mut state = self.state();
        state.accounts.push(Vec::new());
        state.accounts.len() - 1
    }

    /// What an account holds of an asset.
    ///
    /// # Panics
    /// There is no such account.
    pub fn holding(&self, account: usize, asset: usize) -> Holding {
        self.state().accounts[account].get(asset).copied().unwrap_or_default()
    }

    /// Adds to (or, negative, takes from) a holding.
    ///
    /// # Panics
    /// There is no such account.
    pub fn add(&self, account: usize, asset: usize, free: i128, locked: i128) {
        let mut state = self.state();
        let holdings = &mut state.accounts[account];
        if holdings.len() <= asset {
            holdings.resize(asset + 1, Holding::default());
        }
        holdings[asset].free += free;
        holdings[asset].locked += locked;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
