/** A table that can be scrolled sideways on narrow screens. */
import { Html } from '@elysiajs/html';

export interface Cell {
  readonly text: string;
  readonly href?: string;
  /** Right-aligned. */
  readonly number?: boolean;
}

function cell({ text, href, number }: Cell): string {
  return (
    <td class={number ? 'number' : undefined}>
      {href === undefined ? (
        <span safe>{text}</span>
      ) : (
        <a href={href} safe>
          {text}
        </a>
      )}
    </td>
  ) as string;
}

export function table(label: string, columns: readonly string[], rows: readonly (readonly Cell[])[]): string {
  return (
    <section class="table" tabindex="0" aria-label={label}>
      <table>
        <thead>
          <tr>
            {columns.map((column, index) => (
              <th scope="col" class={rows[0]?.[index]?.number ? 'number' : undefined} safe>
                {column}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr>{row.map(cell) as 'safe'[]}</tr>
          ))}
        </tbody>
      </table>
    </section>
  ) as string;
}
