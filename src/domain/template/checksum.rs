//! Cyclic redundancy checks by their names in the catalogue of parametrised CRC algorithms (reveng), as the crate `crc` has
//! it. Names are read with any case, and with any of `-`, `_` and `/` between their parts.

use crc::{Algorithm, Crc};

/// An algorithm of one of the widths that integers have.
#[derive(Clone, Copy)]
pub(super) enum Checksum {
    /// Up to 8 bits.
    Narrow(&'static Algorithm<u8>),
    /// Up to 16 bits.
    Short(&'static Algorithm<u16>),
    /// Up to 32 bits.
    Long(&'static Algorithm<u32>),
    /// Up to 64 bits.
    Wide(&'static Algorithm<u64>),
}

impl Checksum {
    /// The algorithm of this name.
    pub(super) fn named(name: &str) -> Option<Self> {
        let plain = plain(name);
        ALL.iter().find(|(known, _)| self::plain(known) == plain).map(|(_, algorithm)| *algorithm)
    }

    /// The name most like this one.
    pub(super) fn like(name: &str) -> &'static str {
        let likeness = |known: &str| strsim::jaro_winkler(&plain(known), &plain(name));
        let most = ALL.iter().map(|(known, _)| *known).max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
        most.unwrap_or("CRC-16/MODBUS")
    }

    /// The check of these bytes, the most significant byte first: as many bytes as its width takes.
    pub(super) fn of(self, bytes: &[u8]) -> Vec<u8> {
        let (value, width) = match self {
            Self::Narrow(algorithm) => (Crc::<u8>::new(algorithm).checksum(bytes).into(), algorithm.width),
            Self::Short(algorithm) => (Crc::<u16>::new(algorithm).checksum(bytes).into(), algorithm.width),
            Self::Long(algorithm) => (Crc::<u32>::new(algorithm).checksum(bytes).into(), algorithm.width),
            Self::Wide(algorithm) => (Crc::<u64>::new(algorithm).checksum(bytes), algorithm.width),
        };
        let bytes = u64::to_be_bytes(value);
        bytes.get(8 - usize::from(width.div_ceil(8))..).unwrap_or_default().to_vec()
    }
}

fn plain(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

const ALL: [(&str, Checksum); 112] = [
    ("CRC-10/ATM", Checksum::Short(&crc::CRC_10_ATM)),
    ("CRC-10/CDMA2000", Checksum::Short(&crc::CRC_10_CDMA2000)),
    ("CRC-10/GSM", Checksum::Short(&crc::CRC_10_GSM)),
    ("CRC-11/FLEXRAY", Checksum::Short(&crc::CRC_11_FLEXRAY)),
    ("CRC-11/UMTS", Checksum::Short(&crc::CRC_11_UMTS)),
    ("CRC-12/CDMA2000", Checksum::Short(&crc::CRC_12_CDMA2000)),
    ("CRC-12/DECT", Checksum::Short(&crc::CRC_12_DECT)),
    ("CRC-12/GSM", Checksum::Short(&crc::CRC_12_GSM)),
    ("CRC-12/UMTS", Checksum::Short(&crc::CRC_12_UMTS)),
    ("CRC-13/BBC", Checksum::Short(&crc::CRC_13_BBC)),
    ("CRC-14/DARC", Checksum::Short(&crc::CRC_14_DARC)),
    ("CRC-14/GSM", Checksum::Short(&crc::CRC_14_GSM)),
    ("CRC-15/CAN", Checksum::Short(&crc::CRC_15_CAN)),
    ("CRC-15/MPT1327", Checksum::Short(&crc::CRC_15_MPT1327)),
    ("CRC-16/ARC", Checksum::Short(&crc::CRC_16_ARC)),
    ("CRC-16/CDMA2000", Checksum::Short(&crc::CRC_16_CDMA2000)),
    ("CRC-16/CMS", Checksum::Short(&crc::CRC_16_CMS)),
    ("CRC-16/DDS-110", Checksum::Short(&crc::CRC_16_DDS_110)),
    ("CRC-16/DECT-R", Checksum::Short(&crc::CRC_16_DECT_R)),
    ("CRC-16/DECT-X", Checksum::Short(&crc::CRC_16_DECT_X)),
    ("CRC-16/DNP", Checksum::Short(&crc::CRC_16_DNP)),
    ("CRC-16/EN-13757", Checksum::Short(&crc::CRC_16_EN_13757)),
    ("CRC-16/GENIBUS", Checksum::Short(&crc::CRC_16_GENIBUS)),
    ("CRC-16/GSM", Checksum::Short(&crc::CRC_16_GSM)),
    ("CRC-16/IBM-3740", Checksum::Short(&crc::CRC_16_IBM_3740)),
    ("CRC-16/IBM-SDLC", Checksum::Short(&crc::CRC_16_IBM_SDLC)),
    ("CRC-16/ISO-IEC-14443-3-A", Checksum::Short(&crc::CRC_16_ISO_IEC_14443_3_A)),
    ("CRC-16/KERMIT", Checksum::Short(&crc::CRC_16_KERMIT)),
    ("CRC-16/LJ1200", Checksum::Short(&crc::CRC_16_LJ1200)),
    ("CRC-16/M17", Checksum::Short(&crc::CRC_16_M17)),
    ("CRC-16/MAXIM-DOW", Checksum::Short(&crc::CRC_16_MAXIM_DOW)),
    ("CRC-16/MCRF4XX", Checksum::Short(&crc::CRC_16_MCRF4XX)),
    ("CRC-16/MODBUS", Checksum::Short(&crc::CRC_16_MODBUS)),
    ("CRC-16/NRSC-5", Checksum::Short(&crc::CRC_16_NRSC_5)),
    ("CRC-16/OPENSAFETY-A", Checksum::Short(&crc::CRC_16_OPENSAFETY_A)),
    ("CRC-16/OPENSAFETY-B", Checksum::Short(&crc::CRC_16_OPENSAFETY_B)),
    ("CRC-16/PROFIBUS", Checksum::Short(&crc::CRC_16_PROFIBUS)),
    ("CRC-16/RIELLO", Checksum::Short(&crc::CRC_16_RIELLO)),
    ("CRC-16/SPI-FUJITSU", Checksum::Short(&crc::CRC_16_SPI_FUJITSU)),
    ("CRC-16/T10-DIF", Checksum::Short(&crc::CRC_16_T10_DIF)),
    ("CRC-16/TELEDISK", Checksum::Short(&crc::CRC_16_TELEDISK)),
    ("CRC-16/TMS37157", Checksum::Short(&crc::CRC_16_TMS37157)),
    ("CRC-16/UMTS", Checksum::Short(&crc::CRC_16_UMTS)),
    ("CRC-16/USB", Checksum::Short(&crc::CRC_16_USB)),
    ("CRC-16/XMODEM", Checksum::Short(&crc::CRC_16_XMODEM)),
    ("CRC-17/CAN-FD", Checksum::Long(&crc::CRC_17_CAN_FD)),
    ("CRC-21/CAN-FD", Checksum::Long(&crc::CRC_21_CAN_FD)),
    ("CRC-24/BLE", Checksum::Long(&crc::CRC_24_BLE)),
    ("CRC-24/FLEXRAY-A", Checksum::Long(&crc::CRC_24_FLEXRAY_A)),
    ("CRC-24/FLEXRAY-B", Checksum::Long(&crc::CRC_24_FLEXRAY_B)),
    ("CRC-24/INTERLAKEN", Checksum::Long(&crc::CRC_24_INTERLAKEN)),
    ("CRC-24/LTE-A", Checksum::Long(&crc::CRC_24_LTE_A)),
    ("CRC-24/LTE-B", Checksum::Long(&crc::CRC_24_LTE_B)),
    ("CRC-24/OPENPGP", Checksum::Long(&crc::CRC_24_OPENPGP)),
    ("CRC-24/OS-9", Checksum::Long(&crc::CRC_24_OS_9)),
    ("CRC-30/CDMA", Checksum::Long(&crc::CRC_30_CDMA)),
    ("CRC-31/PHILIPS", Checksum::Long(&crc::CRC_31_PHILIPS)),
    ("CRC-32/AIXM", Checksum::Long(&crc::CRC_32_AIXM)),
    ("CRC-32/AUTOSAR", Checksum::Long(&crc::CRC_32_AUTOSAR)),
    ("CRC-32/BASE91-D", Checksum::Long(&crc::CRC_32_BASE91_D)),
    ("CRC-32/BZIP2", Checksum::Long(&crc::CRC_32_BZIP2)),
    ("CRC-32/CD-ROM-EDC", Checksum::Long(&crc::CRC_32_CD_ROM_EDC)),
    ("CRC-32/CKSUM", Checksum::Long(&crc::CRC_32_CKSUM)),
    ("CRC-32/ISCSI", Checksum::Long(&crc::CRC_32_ISCSI)),
    ("CRC-32/ISO-HDLC", Checksum::Long(&crc::CRC_32_ISO_HDLC)),
    ("CRC-32/JAMCRC", Checksum::Long(&crc::CRC_32_JAMCRC)),
    ("CRC-32/MEF", Checksum::Long(&crc::CRC_32_MEF)),
    ("CRC-32/MPEG-2", Checksum::Long(&crc::CRC_32_MPEG_2)),
    ("CRC-32/XFER", Checksum::Long(&crc::CRC_32_XFER)),
    ("CRC-3/GSM", Checksum::Narrow(&crc::CRC_3_GSM)),
    ("CRC-3/ROHC", Checksum::Narrow(&crc::CRC_3_ROHC)),
    ("CRC-40/GSM", Checksum::Wide(&crc::CRC_40_GSM)),
    ("CRC-4/G-704", Checksum::Narrow(&crc::CRC_4_G_704)),
    ("CRC-4/INTERLAKEN", Checksum::Narrow(&crc::CRC_4_INTERLAKEN)),
    ("CRC-5/EPC-C1G2", Checksum::Narrow(&crc::CRC_5_EPC_C1G2)),
    ("CRC-5/G-704", Checksum::Narrow(&crc::CRC_5_G_704)),
    ("CRC-5/USB", Checksum::Narrow(&crc::CRC_5_USB)),
    ("CRC-64/ECMA-182", Checksum::Wide(&crc::CRC_64_ECMA_182)),
    ("CRC-64/GO-ISO", Checksum::Wide(&crc::CRC_64_GO_ISO)),
    ("CRC-64/MS", Checksum::Wide(&crc::CRC_64_MS)),
    ("CRC-64/NVME", Checksum::Wide(&crc::CRC_64_NVME)),
    ("CRC-64/REDIS", Checksum::Wide(&crc::CRC_64_REDIS)),
    ("CRC-64/WE", Checksum::Wide(&crc::CRC_64_WE)),
    ("CRC-64/XZ", Checksum::Wide(&crc::CRC_64_XZ)),
    ("CRC-6/CDMA2000-A", Checksum::Narrow(&crc::CRC_6_CDMA2000_A)),
    ("CRC-6/CDMA2000-B", Checksum::Narrow(&crc::CRC_6_CDMA2000_B)),
    ("CRC-6/DARC", Checksum::Narrow(&crc::CRC_6_DARC)),
    ("CRC-6/GSM", Checksum::Narrow(&crc::CRC_6_GSM)),
    ("CRC-6/G-704", Checksum::Narrow(&crc::CRC_6_G_704)),
    ("CRC-7/MMC", Checksum::Narrow(&crc::CRC_7_MMC)),
    ("CRC-7/ROHC", Checksum::Narrow(&crc::CRC_7_ROHC)),
    ("CRC-7/UMTS", Checksum::Narrow(&crc::CRC_7_UMTS)),
    ("CRC-8/AUTOSAR", Checksum::Narrow(&crc::CRC_8_AUTOSAR)),
    ("CRC-8/BLUETOOTH", Checksum::Narrow(&crc::CRC_8_BLUETOOTH)),
    ("CRC-8/CDMA2000", Checksum::Narrow(&crc::CRC_8_CDMA2000)),
    ("CRC-8/DARC", Checksum::Narrow(&crc::CRC_8_DARC)),
    ("CRC-8/DVB-S2", Checksum::Narrow(&crc::CRC_8_DVB_S2)),
    ("CRC-8/GSM-A", Checksum::Narrow(&crc::CRC_8_GSM_A)),
    ("CRC-8/GSM-B", Checksum::Narrow(&crc::CRC_8_GSM_B)),
    ("CRC-8/HITAG", Checksum::Narrow(&crc::CRC_8_HITAG)),
    ("CRC-8/I-432-1", Checksum::Narrow(&crc::CRC_8_I_432_1)),
    ("CRC-8/I-CODE", Checksum::Narrow(&crc::CRC_8_I_CODE)),
    ("CRC-8/LTE", Checksum::Narrow(&crc::CRC_8_LTE)),
    ("CRC-8/MAXIM-DOW", Checksum::Narrow(&crc::CRC_8_MAXIM_DOW)),
    ("CRC-8/MIFARE-MAD", Checksum::Narrow(&crc::CRC_8_MIFARE_MAD)),
    ("CRC-8/NRSC-5", Checksum::Narrow(&crc::CRC_8_NRSC_5)),
    ("CRC-8/OPENSAFETY", Checksum::Narrow(&crc::CRC_8_OPENSAFETY)),
    ("CRC-8/ROHC", Checksum::Narrow(&crc::CRC_8_ROHC)),
    ("CRC-8/SAE-J1850", Checksum::Narrow(&crc::CRC_8_SAE_J1850)),
    ("CRC-8/SMBUS", Checksum::Narrow(&crc::CRC_8_SMBUS)),
    ("CRC-8/TECH-3250", Checksum::Narrow(&crc::CRC_8_TECH_3250)),
    ("CRC-8/WCDMA", Checksum::Narrow(&crc::CRC_8_WCDMA)),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_algorithm_gives_its_published_check_of_123456789() {
        for (name, checksum) in ALL {
            let published = match checksum {
                Checksum::Narrow(algorithm) => u64::from(algorithm.check),
                Checksum::Short(algorithm) => algorithm.check.into(),
                Checksum::Long(algorithm) => algorithm.check.into(),
                Checksum::Wide(algorithm) => algorithm.check,
            };
            let found = checksum.of(b"123456789");
            let value = found.iter().fold(0, |value, byte| value << 8 | u64::from(*byte));
            assert_eq!(value, published, "{name}");
            assert!(Checksum::named(&name.to_lowercase().replace('/', "_")).is_some(), "{name}");
        }
        assert_eq!(Checksum::named("CRC-16/IBM-SDLC").unwrap().of(&[0x05, 0x01, 0x00, 0x01]), [0xd9, 0xdc]);
        assert!(Checksum::named("CRC-16/MODBUZ").is_none());
        assert_eq!(Checksum::like("CRC-16/MODBUZ"), "CRC-16/MODBUS");
    }
}
