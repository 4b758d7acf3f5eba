//! A kind of catalog rows mirrored in memory: reads touch no disk, writes are durable before they are seen (D1).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::vault::{Batch, CatalogError, Kind, Vault, VaultError, Versioned};

/// Rows of one kind by their key; cheap to clone. Writers are serialised, readers never wait for the disk.
pub struct Ledger<T> {
    vault: Vault,
    kind: Kind,
    rows: Arc<RwLock<BTreeMap<Vec<u8>, Arc<T>>>>,
    writer: Arc<Mutex<()>>,
    put: Put<T>,
}

/// How a row is encoded: as a plain value, or as one that has older forms.
type Put<T> = fn(&mut Batch, Kind, &[u8], &T) -> Result<(), CatalogError>;

impl<T> Clone for Ledger<T> {
    fn clone(&self) -> Self {
        Self {
            vault: self.vault.clone(),
            kind: self.kind,
            rows: self.rows.clone(),
            writer: self.writer.clone(),
            put: self.put,
        }
    }
}

impl<T: Serialize + DeserializeOwned + Clone> Ledger<T> {
    /// Reads every row.
    ///
    /// # Errors
    /// When the vault cannot be read.
    pub fn open(vault: Vault, kind: Kind) -> Result<Self, VaultError> {
        let rows = vault.catalog().scan_as::<T>(kind)?;
        Ok(Self::with(vault, kind, rows, |batch, kind, key, row| batch.put_as(kind, key, row).map(|_| ())))
    }
}

impl<T: Versioned + Clone> Ledger<T> {
    /// Reads every row of a type that has older forms.
    ///
    /// # Errors
    /// When the vault cannot be read.
    pub fn open_versioned(vault: Vault, kind: Kind) -> Result<Self, VaultError> {
        let rows = vault.catalog().scan_versioned::<T>(kind)?;
        Ok(Self::with(vault, kind, rows, |batch, kind, key, row| batch.put_versioned(kind, key, row).map(|_| ())))
    }
}

impl<T: Clone> Ledger<T> {
    fn with(vault: Vault, kind: Kind, rows: Vec<(Vec<u8>, T)>, put: Put<T>) -> Self {
        let rows = rows.into_iter().map(|(key, row)| (key, Arc::new(row))).collect();
        Self { vault, kind, rows: Arc::new(RwLock::new(rows)), writer: Arc::default(), put }
    }

    /// One row.
    #[must_use]
    pub fn get(&self, key: &[u8]) -> Option<Arc<T>> {
        self.rows.read().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }

    /// All rows in the order of their keys.
    #[must_use]
    pub fn all(&self) -> Vec<(Vec<u8>, Arc<T>)> {
        self.rows
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
            .map(|(k, row)| (k.clone(), row.clone()))
            .collect()
    }

    /// Whether there is such a row.
    #[must_use]
    pub fn any(&self, mut is_it: impl FnMut(&T) -> bool) -> bool {
        self.rows.read().unwrap_or_else(PoisonError::into_inner).values().any(|row| is_it(row))
    }

    /// The rows whose keys begin with `prefix`, in the order of their keys.
    #[must_use]
    pub fn under(&self, prefix: &[u8]) -> Vec<(Vec<u8>, Arc<T>)> {
        let rows = self.rows.read().unwrap_or_else(PoisonError::into_inner);
        let from = rows.range(prefix.to_vec()..).take_while(|(key, _)| key.starts_with(prefix));
        from.map(|(key, row)| (key.clone(), row.clone())).collect()
    }

    /// Writes some rows and removes others, all or none; blocking, durable when it returns.
    ///
    /// # Errors
    /// When the vault fails; nothing is changed then.
    pub fn replace(&self, put: Vec<(Vec<u8>, T)>, remove: &[Vec<u8>]) -> Result<(), VaultError> {
        let _one_at_a_time = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let mut batch = Batch::default();
        for key in remove {
            batch.remove(self.kind, key);
        }
        for (key, row) in &put {
            (self.put)(&mut batch, self.kind, key, row)?;
        }
        if batch.is_empty() {
            return Ok(());
        }
        self.vault.catalog().commit(batch)?;
        let mut rows = self.rows.write().unwrap_or_else(PoisonError::into_inner);
        for key in remove {
            rows.remove(key);
        }
        rows.extend(put.into_iter().map(|(key, row)| (key, Arc::new(row))));
        Ok(())
    }

    /// Writes a row; blocking, durable when it returns.
    ///
    /// # Errors
    /// When the vault fails; nothing is changed then.
    pub fn put(&self, key: &[u8], row: T) -> Result<(), VaultError> {
        let _one_at_a_time = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        self.write(key, row)
    }

    /// Changes a row if it exists and `change` says so by returning true; blocking, durable when it returns. Gives the row as it is then.
    ///
    /// # Errors
    /// When the vault fails; nothing is changed then.
    pub fn change(&self, key: &[u8], change: impl FnOnce(&mut T) -> bool) -> Result<Option<Arc<T>>, VaultError> {
        let _one_at_a_time = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(row) = self.get(key) else { return Ok(None) };
        let mut changed = T::clone(&row);
        if change(&mut changed) {
            self.write(key, changed)?;
        }
        Ok(self.get(key))
    }

    /// Removes rows; blocking, durable when it returns.
    ///
    /// # Errors
    /// When the vault fails; nothing is changed then.
    pub fn remove(&self, keys: &[Vec<u8>]) -> Result<(), VaultError> {
        if keys.is_empty() {
            return Ok(());
        }
        let _one_at_a_time = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let mut batch = Batch::default();
        for key in keys {
            batch.remove(self.kind, key);
        }
        self.vault.catalog().commit(batch)?;
        let mut rows = self.rows.write().unwrap_or_else(PoisonError::into_inner);
        for key in keys {
            rows.remove(key);
        }
        Ok(())
    }

    fn write(&self, key: &[u8], row: T) -> Result<(), VaultError> {
        let mut batch = Batch::default();
        (self.put)(&mut batch, self.kind, key, &row)?;
        self.vault.catalog().commit(batch)?;
        self.rows.write().unwrap_or_else(PoisonError::into_inner).insert(key.to_vec(), Arc::new(row));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;
    use crate::data_dir::DataDir;
    use crate::limits::{MAX_CATALOG_KEY_BYTES, MAX_CATALOG_VALUE_BYTES};
    use crate::vault::KeyFile;

    fn vault(folder: &tempfile::TempDir) -> Vault {
        let dir = DataDir::open(folder.path().join("data")).unwrap();
        Vault::open(&dir, &KeyFile::at(folder.path().join("key"))).unwrap()
    }

    fn rows<T: Serialize + DeserializeOwned + Clone>(ledger: &Ledger<T>) -> Vec<(Vec<u8>, T)> {
        ledger.all().into_iter().map(|(key, row)| (key, T::clone(&row))).collect()
    }

    #[test]
    fn d1_rows_are_what_a_restart_finds() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Ledger::<String>::open(vault(&folder), Kind::Offer).unwrap();
        for key in [3u8, 1, 2] {
            ledger.put(&[key], format!("row {key}")).unwrap();
        }
        ledger.put(&[2], "again".into()).unwrap();
        ledger.remove(&[vec![3], vec![9]]).unwrap();
        ledger.remove(&[]).unwrap();
        let before = rows(&ledger);
        assert_eq!(before, [(vec![1], "row 1".to_owned()), (vec![2], "again".to_owned())]);
        assert!(ledger.get(&[3]).is_none());
        drop(ledger);
        let vault = vault(&folder);
        assert_eq!(rows(&Ledger::<String>::open(vault.clone(), Kind::Offer).unwrap()), before);
        assert!(rows(&Ledger::<String>::open(vault, Kind::Delivery).unwrap()).is_empty(), "kinds are apart");
    }

    #[test]
    fn a_change_happens_only_to_what_is_there_and_only_if_wanted() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Ledger::<u32>::open(vault(&folder), Kind::Budget).unwrap();
        assert!(ledger.change(b"none", |_| panic!("there is no row")).unwrap().is_none());
        ledger.put(b"a", 1).unwrap();
        let refused = ledger.change(b"a", |row| {
            *row = 7;
            false
        });
        assert_eq!(*refused.unwrap().unwrap(), 1);
        let changed = ledger.clone().change(b"a", |row| {
            *row += 1;
            true
        });
        assert_eq!(*changed.unwrap().unwrap(), 2);
        assert_eq!(*ledger.get(b"a").unwrap(), 2, "clones share their rows");
        drop(ledger);
        let ledger = Ledger::<u32>::open(vault(&folder), Kind::Budget).unwrap();
        assert_eq!(*ledger.get(b"a").unwrap(), 2);
    }

    #[test]
    fn no_change_is_lost_among_writers_at_the_same_time() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Ledger::<u32>::open(vault(&folder), Kind::Budget).unwrap();
        ledger.put(b"n", 0).unwrap();
        thread::scope(|scope| {
            for writer in 0..6u8 {
                let ledger = ledger.clone();
                scope.spawn(move || {
                    for _ in 0..10 {
                        let add = |row: &mut u32| {
                            *row += 1;
                            true
                        };
                        ledger.change(b"n", add).unwrap();
                        ledger.put(&[writer], u32::from(writer)).unwrap();
                    }
                });
            }
        });
        assert_eq!(*ledger.get(b"n").unwrap(), 60);
        assert_eq!(ledger.all().len(), 7);
    }

    #[test]
    fn what_the_vault_refuses_is_not_in_memory_either() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Ledger::<String>::open(vault(&folder), Kind::Offer).unwrap();
        ledger.put(b"a", "sound".into()).unwrap();
        let too_long = "x".repeat(MAX_CATALOG_VALUE_BYTES + 1);
        assert!(ledger.put(b"a", too_long.clone()).is_err());
        assert!(ledger.put(b"b", too_long.clone()).is_err());
        let grown = ledger.change(b"a", |row| {
            row.clone_from(&too_long);
            true
        });
        assert!(grown.is_err());
        assert!(ledger.remove(&[b"a".to_vec(), vec![0; MAX_CATALOG_KEY_BYTES + 1]]).is_err());
        assert_eq!(rows(&ledger), [(b"a".to_vec(), "sound".to_owned())]);
    }

    #[test]
    fn rows_of_another_form_are_an_error_and_not_an_empty_ledger() {
        let folder = tempfile::tempdir().unwrap();
        let vault = vault(&folder);
        Ledger::<String>::open(vault.clone(), Kind::Offer).unwrap().put(b"a", "text".into()).unwrap();
        assert!(Ledger::<[u64; 9]>::open(vault, Kind::Offer).is_err());
    }
}
