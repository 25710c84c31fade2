//! Bytes that may be held at once.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};

/// What one permit stands for: a semaphore counts no further than 2⁶¹, and takes 2³² at once.
const UNIT: u64 = 4 << 10;

/// A number of bytes that may be held at once, by rows on their way.
///
/// Who holds nothing yet waits until there is room, in the order of coming. Who holds something and
/// needs more takes what is free; where that is too little, it may go into debt, or two rows could
/// wait for each other for ever: but one at a time, until it holds nothing any longer, so that no
/// more is held than the limit and one download. Debts are paid before anybody else gets room.
#[derive(Debug)]
pub(crate) struct Budget {
    free: Semaphore,
    capacity: u32,
    debt: Mutex<u64>,
    /// Who may go into debt.
    debtor: Arc<Semaphore>,
    /// What is held, and the most that ever was.
    #[cfg(test)]
    taken: Mutex<(u64, u64)>,
}

impl Budget {
    pub(crate) fn new(bytes: u64) -> Arc<Self> {
        let capacity = units(bytes).max(1);
        Arc::new(Self {
            free: Semaphore::new(capacity as usize),
            capacity,
            debt: Mutex::default(),
            debtor: Arc::new(Semaphore::new(1)),
            #[cfg(test)]
            taken: Mutex::default(),
        })
    }

    /// A part of it, of nothing so far; it goes back when it is dropped.
    pub(crate) fn nothing(self: &Arc<Self>) -> Held {
        Held { budget: self.clone(), bytes: 0, units: 0, debtor: None }
    }

    /// The most bytes that were ever held.
    #[cfg(test)]
    pub(crate) fn most_taken(&self) -> u64 {
        self.taken.lock().unwrap().1 * UNIT
    }

    fn give_back(&self, units: u64) {
        let mut debt = self.debt.lock().unwrap_or_else(PoisonError::into_inner);
        let paid = units.min(*debt);
        *debt -= paid;
        self.free.add_permits(usize::try_from(units - paid).unwrap_or(usize::MAX));
    }
}

fn units(bytes: u64) -> u32 {
    u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX)
}

/// A part of a budget.
#[derive(Debug)]
pub(crate) struct Held {
    budget: Arc<Budget>,
    bytes: u64,
    units: u64,
    /// That it may go into debt.
    debtor: Option<OwnedSemaphorePermit>,
}

impl Held {
    /// Bytes that it stands for.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Takes more, until it stands for so many bytes: waits for room if it holds nothing, and for
    /// its turn to go into debt if there is too little for what it holds already.
    pub(crate) async fn raise(&mut self, to: u64) {
        if self.units == 0 {
            // What is larger than all there is waits until nobody holds anything.
            let most = units(to).min(self.budget.capacity);
            // It is never closed.
            let acquired = self.budget.free.acquire_many(most).await.map(SemaphorePermit::forget);
            if acquired.is_ok() {
                self.holds(most.into());
            }
        }
        if !self.try_raise(to) {
            // Who has it waits for nobody, comes to its end and gives it back. It is never closed.
            self.debtor = self.budget.debtor.clone().acquire_owned().await.ok();
            self.owe(to);
        }
    }

    /// The same for who does not want to wait; answers whether there was room.
    pub(crate) fn try_raise(&mut self, to: u64) -> bool {
        let more = u64::from(units(to)).saturating_sub(self.units);
        if more > 0 && self.debtor.is_none() {
            let more = match self.units {
                0 => more.min(self.budget.capacity.into()),
                _ => more,
            };
            let most = u32::try_from(more).unwrap_or(u32::MAX);
            let acquired = self.budget.free.try_acquire_many(most).map(SemaphorePermit::forget);
            if acquired.is_err() {
                return self.becomes_debtor(to);
            }
            self.holds(more);
            if self.units < u64::from(units(to)) {
                // It holds all there is, and nobody else anything.
                return self.becomes_debtor(to);
            }
        }
        self.owe(to);
        true
    }

    fn holds(&mut self, more: u64) {
        self.units += more;
        #[cfg(test)]
        {
            let mut taken = self.budget.taken.lock().unwrap();
            taken.0 += more;
            taken.1 = taken.1.max(taken.0);
        }
    }

    /// Goes into debt if it holds something and nobody else is in debt.
    fn becomes_debtor(&mut self, to: u64) -> bool {
        if self.units == 0 {
            return false;
        }
        match self.budget.debtor.clone().try_acquire_owned() {
            Ok(debtor) => self.debtor = Some(debtor),
            Err(_) => return false,
        }
        self.owe(to);
        true
    }

    /// Takes more, until it stands for so many bytes: what is free, and the rest as a debt.
    fn owe(&mut self, to: u64) {
        self.bytes = self.bytes.max(to);
        let more = u64::from(units(to)).saturating_sub(self.units);
        if more > 0 {
            self.holds(more);
            let mut debt = self.budget.debt.lock().unwrap_or_else(PoisonError::into_inner);
            let most = usize::try_from(more).unwrap_or(usize::MAX);
            *debt += more - self.budget.free.forget_permits(most) as u64;
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        #[cfg(test)]
        {
            self.budget.taken.lock().unwrap().0 -= self.units;
        }
        self.budget.give_back(self.units);
    }
}

#[cfg(test)]
mod tests {
    use std::{
        future::Future,
        pin::pin,
        task::{Context, Waker},
    };

    use super::*;

    fn is_ready(future: &mut (impl Future<Output = ()> + Unpin)) -> bool {
        std::pin::Pin::new(future).poll(&mut Context::from_waker(Waker::noop())).is_ready()
    }

    #[test]
    fn who_holds_nothing_waits_and_who_holds_something_owes() {
        let budget = Budget::new(10 * UNIT);
        let (mut one, mut two, mut three) = (budget.nothing(), budget.nothing(), budget.nothing());
        assert!(is_ready(&mut pin!(one.raise(6 * UNIT))));
        {
            let mut waiting = pin!(two.raise(6 * UNIT));
            assert!(!is_ready(&mut waiting));
            // It holds something, so it does not wait.
            assert!(is_ready(&mut pin!(one.raise(13 * UNIT))));
            assert!(!is_ready(&mut waiting));
            drop(one);
            assert!(is_ready(&mut waiting));
        }
        {
            // More than there is: when nobody holds anything.
            let mut huge = pin!(three.raise(100 * UNIT));
            assert!(!is_ready(&mut huge));
            drop(two);
            assert!(is_ready(&mut huge));
        }
        drop(three);
        assert_eq!(budget.free.available_permits(), 10);
        assert_eq!(*budget.debt.lock().unwrap(), 0);
    }

    #[test]
    fn one_at_a_time_goes_into_debt() {
        let budget = Budget::new(10 * UNIT);
        let mut held: Vec<Held> = (0..5).map(|_| budget.nothing()).collect();
        for one in &mut held {
            assert!(one.try_raise(2 * UNIT));
        }
        assert!(held[0].try_raise(20 * UNIT), "the first may");
        assert!(!held[1].try_raise(3 * UNIT), "the second waits for it");
        assert!(held[0].try_raise(30 * UNIT));
        {
            let (first, others) = held.split_at_mut(1);
            let mut waiting = pin!(others[0].raise(20 * UNIT));
            assert!(!is_ready(&mut waiting));
            first[0] = budget.nothing();
            assert!(is_ready(&mut waiting));
        }
        assert_eq!(budget.most_taken(), 38 * UNIT);
        drop(held);
        assert_eq!(budget.free.available_permits(), 10);
        assert_eq!(*budget.debt.lock().unwrap(), 0);
    }

    #[test]
    fn who_no_longer_waits_leaves_nothing_behind() {
        let budget = Budget::new(10 * UNIT);
        let (mut one, mut two) = (budget.nothing(), budget.nothing());
        assert!(is_ready(&mut pin!(one.raise(8 * UNIT))));
        {
            let mut waiting = pin!(two.raise(8 * UNIT));
            assert!(!is_ready(&mut waiting));
        }
        drop((one, two));
        assert_eq!(budget.free.available_permits(), 10);
    }
}
