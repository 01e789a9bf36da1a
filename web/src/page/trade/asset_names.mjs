/** Which names of assets are the same, and which look alike: an asset is its id, and whoever makes one names it as he likes. */

/** A rune's name however it is spaced and written. */
export const plain = (name) => name.replace(/[•.\s]/g, "").toUpperCase();

/** A Latin letter → letters and digits of other scripts that look like it, of the table of Unicode's UTS 39. */
const ALIKE = {
  A: "АΑᎪᴀɑα", B: "ВΒᏴʙЬ", C: "СϹᏟᴄ", D: "ᎠԀÐĐᴅ", E: "ЕΕᎬᴇ", F: "Ϝꜰ", G: "ᏀԌɢɡ", H: "НΗᎻʜҺ", I: "1LІΙӀᏆᏞ|ɪʟιıℓ", J: "ЈᎫᴊ", K: "КΚᏦKᴋκ",
  M: "МΜᎷᴍϺ", N: "Νɴ", O: "0ОΟՕØᴏоοσ", P: "РΡᏢᴘρ", Q: "Ԛ", R: "ᏒʀᎡ", S: "ЅᏚՏꜱ", T: "ТΤᎢᴛτ", U: "Սᴜυ", V: "ᏙѴᴠν", W: "ԜᎳᴡω", X: "ХΧχ", Y: "УΥҮʏγ", Z: "ΖᏃᴢ",
};
const LATIN = new Map(Object.entries(ALIKE).flatMap(([letter, others]) => [...others].flatMap((one) => [[one, letter], [one.toUpperCase(), letter]])));

/** What is left of a name for the eye: equal texts look alike. Accents, spaces and signs are passed over. */
export function skeleton(name) {
  const letters = name.normalize("NFKD").replace(/[^\p{L}\p{N}|]/gu, "").replace(/rn/g, "m").replace(/vv/g, "w");
  return [...letters].map((one) => LATIN.get(one) ?? LATIN.get(one.toUpperCase()) ?? one.toUpperCase()).join("");
}
